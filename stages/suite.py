"""Stage `suite`: write or read the eight benchmarks, select, split, and say where every byte came from."""

from __future__ import annotations

import os
from pathlib import Path

from dart.core import layout, params
from dart.core.files import replacing, write_json, write_jsonl
from dart.core.schema.profile import SuiteSpec
from dart.simulation.suite import write_suite
from dart.suite.card import suite_card
from dart.suite.sources import read_suite
from dart.suite.split import split_suite


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
    with replacing(layout.SUITE) as folder:
        for name in ("train", "validation", "test", "outside"):
            write_jsonl(folder / f"{name}.jsonl", getattr(suite, name))
        write_json(folder / "folds.json", suite.folds)
        write_json(folder / "card.json", suite_card(source, suite))
