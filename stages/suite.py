"""Stage `suite`: write or read the eight benchmarks, select, split, and say where every byte came from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from dart.core import layout
from dart.core.files import replacing, write_json, write_jsonl
from dart.core.params import FromProfile, StageParams
from dart.core.schema.method import Split
from dart.core.schema.profile import SuiteSpec
from dart.simulation.suite import write_suite
from dart.suite.card import suite_card
from dart.suite.sources import read_suite
from dart.suite.split import split_suite


class Params(StageParams):
    profile: str
    seed: int
    split: Split
    suite: Annotated[SuiteSpec, FromProfile("suite")]


def run() -> None:
    params = Params.load("suite")
    local = os.environ.get("DART_DATA_DIR")
    source = (
        write_suite(params.seed)
        if params.suite.source == "embedded"
        else read_suite(params.suite.source, Path(local) if local else None)
    )
    suite = split_suite(source.items, params.suite, params.split, params.seed)
    with replacing(layout.SUITE) as folder:
        for name in ("train", "validation", "test", "outside"):
            write_jsonl(folder / f"{name}.jsonl", getattr(suite, name))
        write_json(folder / "folds.json", suite.folds)
        write_json(folder / "card.json", suite_card(source, suite))
