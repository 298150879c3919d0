"""`dart verify`: did this working tree reproduce what was committed?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dart.metrics.verification import StageComparison, Verification


SHOWN = 20  # stages that are listed; another experiment differs in nearly all


def verify(
    rev: Annotated[str, typer.Option("--rev", help="commit, tag or branch to compare with")] = "HEAD",
    json: Annotated[
        Path | None, typer.Option("--json", dir_okay=False, help="write the comparison to this file")
    ] = None,
    no_fail: Annotated[bool, typer.Option("--no-fail", help="exit with 0 whatever the verdict")] = False,
) -> None:
    """Compare outs and headline numbers with a commit. The exit code is 0 if they are reproduced, else 1."""
    from dart.core.files import write_json
    from dart.metrics.verification import verify as compare

    result = compare(Path(), rev)
    print("\n".join(report(result)))
    if json is not None:
        write_json(json, result.as_json())
    if not (result.reproduced or no_fail):
        raise typer.Exit(1)


def report(result: Verification) -> list[str]:
    """What differs, stage by stage and number by number, the first stages only; the last line is the verdict."""
    different = {name: stage for name, stage in result.stages.items() if stage.state != "same" or stage.settings_differ}
    width = max((len(name) for name in different), default=0)
    lines = [f"{name:<{width}}  {_state(stage)}" for name, stage in list(different.items())[:SHOWN]]
    if len(different) > SHOWN:
        lines.append(f"... and {len(different) - SHOWN} more stages; --json FILE lists all")
    if result.stages:
        n_same = result.count("same")
        lines.append(f"same bytes: {n_same} of {len(result.stages)} stages")
    lines += [f"changed after the run: {name}" for name in result.modified]
    lines += [f"not up to date: {name}" for name in result.stale if name not in result.modified]
    return [*lines, *_numbers(result), result.verdict]


def _state(stage: StageComparison) -> str:
    settings = "; other parameters or command" if stage.settings_differ else ""
    outs = f": {', '.join(stage.outs)}" if stage.outs else ""
    return f"{stage.state}{outs}{settings}"


def _numbers(result: Verification) -> list[str]:
    if not result.numbers:
        return ["no metrics/headline.json: numbers are not compared"]
    if all(number.state == "same" for number in result.numbers.values()):
        return [f"headline numbers: {len(result.numbers)} of {len(result.numbers)} the same"]
    width = max(len(name) for name in result.numbers)
    lines = [f"{'headline number':<{width}} {'committed':>12} {'this run':>12} {'seeds allow':>12}"]
    for name, number in result.numbers.items():
        limit = "?" if number.limit is None else f"±{number.limit:.4g}"
        values = " ".join(f"{'-' if value is None else format(value, '.5g'):>12}"
                          for value in (number.committed, number.this_run))  # fmt: skip
        lines.append(f"{name:<{width}} {values} {limit:>12}  {number.state}")
    return lines
