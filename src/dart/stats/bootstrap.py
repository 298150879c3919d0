"""Percentile bootstrap intervals over items, exact in distribution and fast.

A statistic that depends on the data only through counts (accuracy, macro-F1, drift cases) is resampled by one
multinomial draw over its cells instead of n index draws: the same distribution at a hundredth of the cost.
A quantile is resampled through its two neighbouring order statistics, whose ranks are Beta distributed.
Section 3.2: 10,000 resamples, 95 %.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dart.errors import DataError
from dart.params import Statistics
from dart.records import Generation, Item
from dart.stats.decision import GOLD_INDEX, PREDICTION_INDEX, Counts, Floats, Rates, rates

_CHUNK_VALUES = 1_000_000  # 8 MB of float64 at a time


class Interval(NamedTuple):
    """An estimate with its percentile interval; None where it is not defined."""

    estimate: float | None
    low: float | None
    high: float | None

    def json(self, digits: int = 6) -> dict[str, Any]:
        """{"estimate": e, "ci": [low, high]}, rounded to `digits` decimals."""
        low, high = (None if bound is None else round(bound, digits) for bound in (self.low, self.high))
        return {
            "estimate": None if self.estimate is None else round(self.estimate, digits),
            "ci": None if low is None or high is None else [low, high],
        }


def percentile_interval(estimate: float, resampled: NDArray[Any], confidence: float) -> Interval:
    """The interval between the (1 - confidence) / 2 quantiles of the resamples in which the statistic is defined."""
    if np.isnan(estimate):
        return Interval(None, None, None)
    kept = resampled[~np.isnan(resampled)]
    if kept.size == 0:
        return Interval(float(estimate), None, None)
    tail = (1 - confidence) / 2
    low, high = np.quantile(kept, [tail, 1 - tail])
    return Interval(float(estimate), float(low), float(high))


def resample_counts(counts: Counts, resamples: int, seed: int) -> Counts:
    """Bootstrap tables of shape (resamples, *counts.shape): n items drawn with replacement, counted by cell."""
    total = int(counts.sum())
    if total == 0:
        raise DataError("bootstrap: there is nothing to resample (0 items).")
    drawn = np.random.default_rng(seed).multinomial(total, counts.ravel() / total, size=resamples)
    return np.asarray(drawn.reshape(resamples, *counts.shape), dtype=np.int64)


def joint_counts(items: Sequence[Item], base: Sequence[Generation], other: Sequence[Generation]) -> Counts:
    """Counts of shape (2, 3, 3): gold by prediction of base by prediction of other. Already paired."""
    table = np.zeros((2, 3, 3), dtype=np.int64)
    gold = [GOLD_INDEX[item.gold] for item in items]
    first = [PREDICTION_INDEX[answer.prediction] for answer in base]
    second = [PREDICTION_INDEX[answer.prediction] for answer in other]
    np.add.at(table, (gold, first, second), 1)
    return table


def rate_intervals(counts: Counts, statistics: Statistics, seed: int) -> dict[str, Interval]:
    """Interval of every rate of one (2, 3) table."""
    return _by_rate(rates(counts), rates(resample_counts(counts, statistics.resamples, seed)), statistics)


def rate_differences(joint: Counts, statistics: Statistics, seed: int) -> dict[str, Interval]:
    """Paired interval of (other - base) for every rate of one (2, 3, 3) table."""
    drawn = resample_counts(joint, statistics.resamples, seed)
    return _by_rate(_difference(joint), _difference(drawn), statistics)


def _difference(joint: Counts) -> Rates:
    base, other = rates(joint.sum(axis=-1)), rates(joint.sum(axis=-2))
    return Rates(*(after - before for before, after in zip(base, other, strict=True)))


def _by_rate(observed: Rates, resampled: Rates, statistics: Statistics) -> dict[str, Interval]:
    pairs = zip(Rates._fields, observed, resampled, strict=True)
    return {name: percentile_interval(float(o), r, statistics.confidence) for name, o, r in pairs}


def quantile_interval(values: Sequence[float], q: float, statistics: Statistics, seed: int) -> Interval:
    """Interval of the q-quantile (linear interpolation, as numpy) of one sample.

    The k-th of n draws from n sorted values is value number floor(n U_(k)), U_(k) ~ Beta(k, n - k + 1); given it,
    the next one follows from 1 - U_(k+1) = (1 - U_(k)) V^(1/(n-k)), V uniform.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    n = ordered.size
    if n == 0:
        raise DataError("bootstrap: there is nothing to resample (0 values).")
    position = (n - 1) * q
    lower = int(np.floor(position))
    rng = np.random.default_rng(seed)
    first = rng.beta(lower + 1, n - lower, size=statistics.resamples)
    upper = first
    if lower + 1 < n:
        upper = 1 - (1 - first) * rng.uniform(size=statistics.resamples) ** (1 / (n - lower - 1))
    ranks = [np.minimum((n * u).astype(np.int64), n - 1) for u in (first, upper)]
    weight = position - lower
    drawn = ordered[ranks[0]] * (1 - weight) + ordered[ranks[1]] * weight
    return percentile_interval(float(np.quantile(ordered, q)), drawn, statistics.confidence)


def median_interval(values: Sequence[float], statistics: Statistics, seed: int) -> Interval:
    """Interval of the median of one sample."""
    return quantile_interval(values, 0.5, statistics, seed)


def paired_interval(
    base: Sequence[float],
    other: Sequence[float],
    statistic: Callable[[Floats, Floats], Floats],
    statistics: Statistics,
    seed: int,
) -> Interval:
    """Interval of any statistic of paired values: `statistic` maps two (..., n) arrays to (...,). Memory is bounded."""
    first, second = np.asarray(base, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if first.shape != second.shape or first.size == 0:
        raise DataError(f"paired bootstrap: needs two equally long samples, got {first.size} and {second.size} values.")
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK_VALUES // first.size)
    drawn = []
    for start in range(0, statistics.resamples, step):
        rows = min(step, statistics.resamples - start)
        index = rng.integers(0, first.size, size=(rows, first.size), dtype=np.int32)
        drawn.append(statistic(first[index], second[index]))
    estimate = float(statistic(first[None], second[None])[0])
    return percentile_interval(estimate, np.concatenate(drawn), statistics.confidence)


def relative_median_change(base: Floats, other: Floats) -> Floats:
    """median(other) / median(base) - 1 along the last axis (Section 3.2: +7.1 % and -13.7 %)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.median(other, axis=-1) / np.median(base, axis=-1) - 1
    return np.where(np.isfinite(change), change, np.nan)
