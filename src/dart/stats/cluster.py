"""The accuracy difference when items come in clusters: prompts of one scenario are near-duplicates.

Section 3.1 treats 1,624 prompts as independent; many share a scenario, and an interval over items is then too
narrow. Scenarios are resampled whole, and the sandwich error (Liang & Zeger 1986) stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats as scipy_stats

from dart.core.errors import DataError
from dart.core.records import Generation, Item
from dart.core.schema.method import Statistics
from dart.stats.bootstrap import leave_one_out, resample_counts
from dart.stats.checks import finite
from dart.stats.decision import Floats
from dart.stats.intervals import Interval, Jackknife, Method, interval, rounded


class ClusterRobust(NamedTuple):
    """Standard errors CR0 and CR1 (CR0 x sqrt(G / (G - 1))), a t interval from CR1 and a cluster bootstrap.

    With one cluster nothing can be said beyond the estimate: errors and bounds are None.
    """

    clusters: int
    se_cr0: float | None
    se_cr1: float | None
    sandwich: Interval
    bootstrap: Interval

    def json(self, digits: int | None = 6) -> dict[str, Any]:
        """{"clusters", "estimate", "ci", "se_cr0", "se_cr1", "ci_sandwich"}; `ci` is the cluster bootstrap's."""
        errors = {"se_cr0": self.se_cr0, "se_cr1": self.se_cr1}
        return {
            "clusters": self.clusters,
            **self.bootstrap.json(digits),
            **{name: rounded(value, digits) for name, value in errors.items()},
            "ci_sandwich": self.sandwich.json(digits)["ci"],
        }


def scenarios(items: Sequence[Item]) -> list[tuple[str, str]]:
    """The cluster of every item: a scenario is unique within its benchmark only."""
    return [(item.benchmark, item.scenario) for item in items]


def correctness_differences(
    items: Sequence[Item], base: Sequence[Generation], other: Sequence[Generation]
) -> list[int]:
    """Per item: 1 if just `other` is right, -1 if just `base` is, else 0. Already paired; unparsed is wrong."""
    return [
        (after.prediction == item.gold) - (before.prediction == item.gold)
        for item, before, after in zip(items, base, other, strict=True)
    ]


def cluster_robust(
    differences: Sequence[float],
    clusters: Sequence[Hashable],
    statistics: Statistics,
    seed: int,
    method: Method = "percentile",
) -> ClusterRobust:
    """Interval of the mean of `differences` (per item, for example -1, 0, 1), clusters resampled whole.

    Clusters that are alike (same size, same sum) are interchangeable, so one multinomial draw over the kinds of
    clusters is the cluster bootstrap.

    Raises:
        DataError: no items, or not one cluster per item.
    """
    if not len(differences) or len(differences) != len(clusters):
        raise DataError(
            f"cluster interval: needs one cluster per item, got {len(differences)} items and {len(clusters)} clusters."
        )
    finite(differences, "cluster interval")
    sums: dict[Hashable, float] = {}
    sizes: dict[Hashable, int] = {}
    for value, cluster in zip(differences, clusters, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + value
        sizes[cluster] = sizes.get(cluster, 0) + 1
    table = np.array([[sums[cluster], sizes[cluster]] for cluster in sums], dtype=np.float64)
    estimate = float(table[:, 0].sum() / table[:, 1].sum())
    count = len(table)
    if count == 1:
        unknown = Interval(estimate, None, None)
        return ClusterRobust(1, None, None, unknown, unknown)
    cr0 = math.sqrt(float(((table[:, 0] - table[:, 1] * estimate) ** 2).sum())) / float(table[:, 1].sum())
    cr1 = cr0 * math.sqrt(count / (count - 1))
    reach = float(scipy_stats.t.isf((1 - statistics.confidence) / 2, count - 1)) * cr1
    kinds, numbers = np.unique(table, axis=0, return_counts=True)
    drawn = _means(resample_counts(numbers, statistics.resamples, seed), kinds)
    left_out, weights = leave_one_out(numbers)
    jackknife = Jackknife(_means(left_out, kinds), weights)
    resampled = interval(estimate, drawn, statistics.confidence, method, jackknife)
    return ClusterRobust(count, cr0, cr1, Interval(estimate, estimate - reach, estimate + reach), resampled)


def _means(numbers: Any, kinds: Floats) -> Floats:
    totals = numbers @ kinds
    return np.asarray(totals[:, 0] / totals[:, 1], dtype=np.float64)
