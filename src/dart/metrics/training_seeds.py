"""How much the same recipe moves from one training seed to the next, from metrics/arms.json.

An interval over items knows nothing of training: a second training of the same recipe differs, too.
"""

from __future__ import annotations

from math import sqrt
from statistics import fmean, stdev
from typing import NamedTuple

from scipy import stats

from dart.metrics.run import Run

CONFIDENCE = 0.95
DEFAULT = "default"  # the point of the default recipe


class SeedValues(NamedTuple):
    """A metric over training seeds; at least two."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return fmean(self.values)

    @property
    def sd(self) -> float:
        return stdev(self.values)

    @property
    def range(self) -> float:
        """From the smallest to the largest."""
        return max(self.values) - min(self.values)

    @property
    def interval(self) -> tuple[float, float]:
        """Student's t for the mean."""
        n = len(self.values)
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * self.sd / sqrt(n)
        return self.mean - half, self.mean + half


def seed_values(run: Run, measure: str, point: str = DEFAULT, paired: bool = False) -> SeedValues | None:
    """The measure of a point over seeds; `paired`: its difference from the default of the same seed.

    None with fewer than two seeds.
    """
    entry = run.metrics.get("arms", {}).get("seeds", {}).get(point, {}).get(measure, {})
    values = (entry.get("difference", {}) if paired else entry).get("points", {}).values()
    return SeedValues(tuple(values)) if len(values) > 1 else None
