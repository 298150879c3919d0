"""How many training seeds and items a difference between two variants needs, from the variances that a run measured.

Planning needs the spread of the differences themselves: variants that share a seed share its Stage I, so their
difference varies less than either. The variances are those in metrics/seeds.json and so from few seeds themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot
from typing import Any, NamedTuple

from dart.core.errors import DataError
from dart.stats.power import CrossedVariance, detectable_over_seeds, seeds_needed

ITEM_COUNTS = (200, 800, 1600, 3200)
SEED_COUNTS = (3, 5, 10, 20)
MOST_SEEDS = 1000


class PowerReport(NamedTuple):
    """Seeds by number of items, and the smallest detectable difference by seeds and items."""

    student: str
    contrast: str
    measure: str
    measured: float  # the difference in this run
    sd: CrossedVariance
    n_seeds: int  # that the variances are from
    n_items: int
    difference: float  # asked for
    power: float
    alpha: float
    seeds: dict[int, int | None]  # by items; None: above 1,000, or too few items for any number
    detectable: dict[tuple[int, int], float]  # by seeds and items


def power_report(
    seeds: Mapping[str, Any],
    student: str,
    contrast: str,
    measure: str,
    difference: float,
    power: float = 0.8,
    alpha: float = 0.05,
) -> PowerReport:
    """The report of one difference.

    Args:
        seeds: contents of metrics/seeds.json.
        contrast: e.g. control_repaired: repaired - control.
        difference: in units of the measure; rates as shares.

    Raises:
        DataError: no such student, contrast or measure (what there is is named), or fewer than two seeds.
    """
    entry: Any = seeds.get("students", {})
    for kind, key in (("student", student), ("contrast", contrast), ("measure", measure)):
        entry = entry.get("contrasts", {}) if kind == "contrast" else entry
        if key not in entry:
            raise DataError(f"metrics/seeds.json has no {kind} {key!r}. It has: {', '.join(entry) or 'none'}.")
        entry = entry[key]
    parts = entry.get("sd")
    if parts is None:
        raise DataError(
            f"{student}, {contrast}, {measure}: no variance components. They need two training seeds at least (`seeds` "
            "of the profile), and a measure that is a mean over items."
        )
    sd = CrossedVariance(parts["seeds"], hypot(parts["items"], parts.get("scenarios", 0.0)), parts["residual"])
    return PowerReport(
        student=student,
        contrast=contrast,
        measure=measure,
        measured=entry["estimate"],
        sd=sd,
        n_seeds=entry["n_seeds"],
        n_items=entry["n_items"],
        difference=difference,
        power=power,
        alpha=alpha,
        seeds={items: seeds_needed(difference, sd, items, power, alpha, MOST_SEEDS) for items in ITEM_COUNTS},
        detectable={
            (n, items): detectable_over_seeds(sd, n, items, power, alpha) for n in SEED_COUNTS for items in ITEM_COUNTS
        },
    )


def render(report: PowerReport) -> str:
    """The report for a terminal."""
    first, second = report.contrast.split("_")
    width = 12
    head = "".join(f"{f'{items:,} items':>{width}}" for items in ITEM_COUNTS)
    needed = "".join(f"{'> 1,000' if count is None else str(count):>{width}}" for count in report.seeds.values())
    lines = [
        f"{report.student}, {report.measure}, {second} - {first}: {report.measured:+.4g} in this run "
        f"({report.n_seeds} seeds, {report.n_items} items)",
        f"standard deviations: between seeds {report.sd.seeds:.4g}, between items {report.sd.items:.4g}, of a seed on "
        f"one item {report.sd.residual:.4g}",
        "",
        f"Training seeds that find a difference of {report.difference:g} with {report.power:.0%} power at the "
        f"{report.alpha:.0%} level",
        f"{'':10}{head}",
        f"{'seeds':10}{needed}",
        "",
        f"Smallest difference found with {report.power:.0%} power",
        f"{'':10}{head}",
    ]
    for n in SEED_COUNTS:
        cells = "".join(f"{report.detectable[n, items]:>{width}.4g}" for items in ITEM_COUNTS)
        lines.append(f"{f'{n} seeds':10}{cells}")
    lines += ["", f"The variances are from {report.n_seeds} seeds, so they are rough themselves."]
    return "\n".join(lines)
