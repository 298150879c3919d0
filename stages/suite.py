"""Stage `suite`: write or read the eight benchmarks, select, split, and say where every byte came from."""

from __future__ import annotations

import os
from pathlib import Path

from dart import params
from dart.embedded.suite import write_suite
from dart.records import replacing, write_json, write_jsonl
from dart.settings.world import SuiteSpec
from dart.suite import read_suite, split_suite, suite_card
from stages import paths


def run() -> None:
    given = params.load("suite")
    spec: SuiteSpec = given.world("suite")
    local = os.environ.get("DART_DATA_DIR")
    source = (
        write_suite(given.seed)
        if spec.source == "embedded"
        else read_suite(spec.source, Path(local) if local else None)
    )
    suite = split_suite(source.items, spec, given.split, given.seed)
    with replacing(paths.SUITE) as folder:
        for name in ("train", "validation", "test", "outside"):
            write_jsonl(folder / f"{name}.jsonl", getattr(suite, name))
        write_json(folder / "folds.json", suite.folds)
        write_json(folder / "card.json", suite_card(source, suite))
