"""`dart compare BASE OTHER`: two files of outputs, from this project or anywhere else, compared item by item."""

from __future__ import annotations

import argparse
from pathlib import Path

from dart.compare.comparison import compare_files, render
from dart.core.files import write_json
from dart.core.schema.method import Statistics


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "compare",
        help="accuracy, macro-F1, parse rate, McNemar, intervals and harm of two files of outputs",
        description=(
            "JSONL or CSV with id, gold, and prediction or raw text; optional rationale, benchmark, scenario, toxicity "
            "and hate. This project's data/generations/S/*.jsonl need --suite data/suite/test.jsonl."
        ),
    )
    parser.add_argument("base", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("--suite", type=Path, help="JSONL of items with id, gold, benchmark, scenario")
    parser.add_argument("--json", type=Path, help="write all numbers here")
    parser.add_argument("--resamples", type=_resamples, default=10_000, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.set_defaults(run=_compare)


def _resamples(text: str) -> int:
    if not text.isdigit() or int(text) < 100:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number of at least 100")
    return int(text)


def _compare(given: argparse.Namespace) -> None:
    statistics = Statistics(resamples=given.resamples, confidence=0.95)
    result = compare_files(given.base, given.other, given.suite, statistics, given.seed)
    print(render(result))
    if given.json:
        write_json(given.json, result)
