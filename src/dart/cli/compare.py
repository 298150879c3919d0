"""`dart compare BASE OTHER`: two files of outputs, from this project or anywhere else, compared item by item."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compare(
    base: Path,
    other: Path,
    suite: Annotated[
        Path | None, typer.Option(help="JSONL of items with id, gold, benchmark, scenario", show_default=False)
    ] = None,
    json_path: Annotated[Path | None, typer.Option("--json", dir_okay=False, help="write all numbers here")] = None,
    resamples: Annotated[
        int, typer.Option(min=100, max=1_000_000, metavar="N", help="bootstrap resamples of an interval")
    ] = 10_000,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="of the resamples")] = 0,
) -> None:
    """Compare two files of outputs item by item. Accuracy, macro-F1, parse rate, McNemar, intervals and harm.

    JSONL or CSV with id, gold, and prediction or raw text; optional rationale, benchmark, scenario, toxicity and hate.
    This project's data/generations/S/*.jsonl need --suite data/suite/test.jsonl.
    """
    from dart.compare.comparison import compare_files, render
    from dart.core.errors import DataError
    from dart.core.files import write_json
    from dart.core.schema.method import Statistics

    if json_path and json_path.exists() and not _is_comparison(json_path):
        raise DataError(f"--json {json_path} exists and is no comparison, so it stays. Name another file.")
    result = compare_files(base, other, suite, Statistics(resamples=resamples, confidence=0.95), seed)
    print(render(result))
    if json_path:
        write_json(json_path, result)


def _is_comparison(path: Path) -> bool:
    """Whether the file was written by `--json`: the numbers of a comparison and nothing else may be replaced."""
    import json

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.keys() >= {"overall", "DIFF", "EQUAL"}
