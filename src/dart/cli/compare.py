"""`dart compare BASE OTHER`: two files of outputs, from this project or anywhere else, compared item by item."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dart.core.terminal import printable


def compare(
    base: Path,
    other: Path,
    suite: Annotated[
        Path | None, typer.Option(help="JSONL of items with id, gold, benchmark, scenario", show_default=False)
    ] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="write all numbers here")] = None,
    resamples: Annotated[int, typer.Option(min=100, metavar="N", help="bootstrap resamples of an interval")] = 10_000,
    seed: Annotated[int, typer.Option(help="of the resamples")] = 0,
) -> None:
    """Compare two files of outputs item by item. Accuracy, macro-F1, parse rate, McNemar, intervals and harm.

    JSONL or CSV with id, gold, and prediction or raw text; optional rationale, benchmark, scenario, toxicity and hate.
    This project's data/generations/S/*.jsonl need --suite data/suite/test.jsonl.
    """
    from dart.compare.comparison import compare_files, render
    from dart.core.files import write_json
    from dart.core.schema.method import Statistics

    result = compare_files(base, other, suite, Statistics(resamples=resamples, confidence=0.95), seed)
    print(printable(render(result)))
    if json_path:
        write_json(json_path, result)
