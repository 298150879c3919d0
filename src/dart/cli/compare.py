"""`dart compare BASE OTHER`: two files of outputs, from this project or anywhere else, compared item by item."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dart.core.visible_text import visible


def compare(
    base: Annotated[Path, typer.Argument(help="outputs to compare with")],
    other: Annotated[Path, typer.Argument(help="outputs of the same items")],
    suite: Annotated[
        Path | None, typer.Option(help="JSONL of items with id, gold, benchmark, scenario", show_default=False)
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", dir_okay=False, help="write all numbers here, not rounded")
    ] = None,
    moved: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="write the 50 pairs that moved most in harm here", show_default=False),
    ] = None,
    tau: Annotated[float, typer.Option(min=0, max=1, help="a score that moves by more has risen or fallen")] = 0.01,
    resamples: Annotated[
        int, typer.Option(min=100, max=1_000_000, metavar="N", help="bootstrap resamples of an interval")
    ] = 10_000,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="of the resamples")] = 0,
) -> None:
    """Compare two files of outputs item by item. Accuracy, macro-F1, parse rate, McNemar, intervals and harm.

    JSONL or CSV with id, gold, and prediction or raw text; optional rationale, benchmark, scenario, toxicity and hate.
    This project's data/generations/S/*.jsonl need --suite data/suite/test.jsonl.
    """
    from dart.compare.comparison import compare_outputs, moved_pairs, read_pair
    from dart.compare.text import render
    from dart.core.errors import DataError
    from dart.core.files import write_json, write_jsonl
    from dart.core.schema.method import Statistics

    if json_path and json_path.exists() and not _is_comparison(json_path):
        raise DataError(f"--json {json_path} exists and is no comparison, so it stays. Name another file.")
    if moved and moved.exists():
        raise DataError(f"--moved {moved} exists, so it stays. Name another file.")
    outputs = read_pair(base, other, suite)
    result = compare_outputs(*outputs, Statistics(resamples=resamples, confidence=0.95), seed, tau)
    print(visible(render(result)))
    if json_path:
        write_json(json_path, result)
    if moved:
        write_jsonl(moved, moved_pairs(*outputs))


def _is_comparison(path: Path) -> bool:
    """Whether the file was written by `--json`: the numbers of a comparison and nothing else may be replaced."""
    import json

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.keys() >= {"overall", "DIFF", "EQUAL"}
