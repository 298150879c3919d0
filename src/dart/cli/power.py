"""`dart power MEASURE DIFFERENCE`: how many training seeds and items a difference needs, from measured variances."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def power(
    measure: Annotated[str, typer.Argument(help="e.g. accuracy, equal_accuracy, drift_rate, toxic_share")],
    difference: Annotated[float, typer.Argument(help="difference to detect; rates as shares: 0.05 is five points")],
    student: Annotated[str, typer.Option(help="slot of the student")] = "small",
    contrast: Annotated[str, typer.Option(help="two variants that share seeds, e.g. distilled_repaired")] = (
        "control_repaired"
    ),
    chance: Annotated[float, typer.Option("--power", min=0.01, max=0.999, help="chance to detect it")] = 0.8,
    alpha: Annotated[
        float, typer.Option(min=1e-6, max=0.5, help="level of the test, corrected if it has a family")
    ] = 0.05,
    seeds: Annotated[Path, typer.Option(help="metrics of another run")] = Path("metrics/seeds.json"),
) -> None:
    """Say how many training seeds and items a difference needs. From the variance components of this run."""
    from dart.core.files import read_json
    from dart.metrics.power import power_report, render

    print(render(power_report(read_json(seeds, dict), student, contrast, measure, difference, chance, alpha)))
