"""`dart estimate`: requests, tokens, dollars, hours, GPU hours and disk of a run before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dart.cli.help import DartCommand
from dart.estimate.assumptions import CHARACTERS_PER_TOKEN


class EstimateCommand(DartCommand):
    """Takes several slots after one --students, as `-S 'students=[small,base]'` of DVC names them in one place."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, repeat_flag("--students", args))


def repeat_flag(flag: str, arguments: list[str]) -> list[str]:
    """`--flag a b` written as `--flag a --flag b`, which is how Typer reads a list."""
    repeated: list[str] = []
    in_values = False
    for argument in arguments:
        if argument == flag:
            in_values = True
            repeated.append(argument)
        elif argument.startswith("-"):
            in_values = False
            repeated.append(argument)
        else:
            repeated += [flag, argument] if in_values and repeated[-1] != flag else [argument]
    return repeated


def estimate(
    profile: Annotated[str | None, typer.Option(help="another profile than params.yaml names")] = None,
    students: Annotated[
        list[str] | None, typer.Option(metavar="SLOT...", help="slots in the place of those in params.yaml")
    ] = None,
    chars_per_token: Annotated[
        float, typer.Option(metavar="N", help="characters that make a token")
    ] = CHARACTERS_PER_TOKEN,
    batch: Annotated[bool, typer.Option("--batch", help="requests in batches, at half the price (DART_BATCH)")] = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", dir_okay=False, help="write the numbers here as well")
    ] = None,
) -> None:
    """Forecast requests, tokens, USD, hours, GPU hours and disk. One line per stage, before anything is sent."""
    from dart.core.files import write_json
    from dart.estimate.estimator import estimate_run
    from dart.estimate.table import render, subtotals

    result = estimate_run(profile, students or (), chars_per_token, batch)
    print(render(result))
    if json_path:
        rows = [line._asdict() | {"forecast": line.forecast._asdict()} for line in result.lines]
        sums = {part: forecast._asdict() for part, forecast in subtotals(result.lines).items()}
        gpu = [slot._asdict() for slot in result.computes]
        content = {"profile": result.settings.profile, "stages": rows, "subtotals": sums, "gpu": gpu}
        write_json(json_path, content, digits=4)
