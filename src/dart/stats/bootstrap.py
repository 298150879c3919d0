"""Bootstrap intervals over items (percentile or BCa), exact in distribution and fast.

A statistic that depends on the data only through counts (accuracy, macro-F1, drift cases) is resampled by one
multinomial draw over its cells instead of n index draws: the same distribution at a hundredth of the cost.
A quantile is resampled through its two neighbouring order statistics, whose ranks are Beta distributed.
The leave-one-out values of BCa are as cheap: one table per occupied cell, weighted by the cell's count.
Section 3.2: 10,000 resamples, 95 %.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dart.core.errors import DataError
from dart.core.records import Generation, Item
from dart.core.schema.method import Statistics
from dart.stats.checks import finite
from dart.stats.decision import GOLD_INDEX, PREDICTION_INDEX, Counts, Floats, Rates, rates
from dart.stats.intervals import Interval, Jackknife, Method, interval, percentile_interval
from dart.stats.quantiles import medians

_CHUNK_VALUES = 50_000  # 400 KB of float64 at a time, which stay in the processor's cache


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


def leave_one_out(counts: Counts) -> tuple[Counts, Floats]:
    """Tables of shape (occupied cells, *counts.shape) with one observation less, and how many tables are alike."""
    occupied = np.flatnonzero(counts)
    tables = np.repeat(counts.reshape(1, -1), occupied.size, axis=0)
    tables[np.arange(occupied.size), occupied] -= 1
    return tables.reshape(occupied.size, *counts.shape), counts.ravel()[occupied].astype(np.float64)


def rate_intervals(
    counts: Counts, statistics: Statistics, seed: int, method: Method = "percentile"
) -> dict[str, Interval]:
    """Interval of every rate of one (2, 3) table."""
    return _by_rate(rates, counts, statistics, seed, (method,))[method]


def rate_differences(
    joint: Counts, statistics: Statistics, seed: int, method: Method = "percentile"
) -> dict[str, Interval]:
    """Paired interval of (other - base) for every rate of one (2, 3, 3) table."""
    return _by_rate(_difference, joint, statistics, seed, (method,))[method]


def rate_differences_by_method(joint: Counts, statistics: Statistics, seed: int) -> dict[Method, dict[str, Interval]]:
    """`rate_differences` by both methods, from the same resamples."""
    return _by_rate(_difference, joint, statistics, seed, ("percentile", "bca"))


def _difference(joint: Counts) -> Rates:
    base, other = rates(joint.sum(axis=-1)), rates(joint.sum(axis=-2))
    return Rates(*(after - before for before, after in zip(base, other, strict=True)))


def _by_rate(
    rates_of: Callable[[Counts], Rates], counts: Counts, statistics: Statistics, seed: int, methods: Sequence[Method]
) -> dict[Method, dict[str, Interval]]:
    drawn = resample_counts(counts, statistics.resamples, seed)
    tables, weights = leave_one_out(counts)
    parts = list(zip(Rates._fields, rates_of(counts), rates_of(drawn), rates_of(tables), strict=True))
    return {
        method: {
            name: interval(float(observed), resampled, statistics.confidence, method, Jackknife(left_out, weights))
            for name, observed, resampled, left_out in parts
        }
        for method in methods
    }


def quantile_interval(values: Sequence[float], q: float, statistics: Statistics, seed: int) -> Interval:
    """Interval of the q-quantile (linear interpolation, as numpy) of one sample.

    The k-th of n draws from n sorted values is value number floor(n U_(k)), U_(k) ~ Beta(k, n - k + 1); given it,
    the next one follows from 1 - U_(k+1) = (1 - U_(k)) V^(1/(n-k)), V uniform.
    """
    ordered = np.sort(finite(values, "bootstrap"))
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
    method: Method = "percentile",
) -> Interval:
    """Interval of any statistic of paired values: `statistic` maps two (..., n) arrays to (...,). Memory is bounded."""
    first = finite(base, "paired bootstrap")
    second = first if other is base else finite(other, "paired bootstrap")
    if first.shape != second.shape or first.size == 0:
        raise DataError(f"paired bootstrap: needs two equally long samples, got {first.size} and {second.size} values.")
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK_VALUES // first.size)
    drawn = []
    for start in range(0, statistics.resamples, step):
        rows = min(step, statistics.resamples - start)
        index = rng.integers(0, first.size, size=(rows, first.size), dtype=np.int32).astype(np.intp)
        sample = first.take(index)
        drawn.append(statistic(sample, sample if second is first else second.take(index)))
    estimate = float(statistic(first[None], second[None])[0])
    jackknife = _paired_jackknife(first, second, statistic) if method == "bca" else None
    return interval(estimate, np.concatenate(drawn), statistics.confidence, method, jackknife)


def _paired_jackknife(first: Floats, second: Floats, statistic: Callable[[Floats, Floats], Floats]) -> Jackknife:
    """The statistic without each pair in turn; undefined (NaN) for a single pair."""
    n = first.size
    if n == 1:
        return Jackknife(np.array([np.nan]), np.ones(1))
    step, indices = max(1, _CHUNK_VALUES // n), np.arange(n - 1)
    values = []
    for start in range(0, n, step):
        left_out = np.arange(start, min(start + step, n))[:, None]
        index = indices + (indices >= left_out)
        values.append(statistic(first[index], second[index]))
    return Jackknife(np.concatenate(values), np.ones(n))


def relative_median_change(base: Floats, other: Floats) -> Floats:
    """median(other) / median(base) - 1 along the last axis (Section 3.2: +7.1 % and -13.7 %)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        change = medians(other) / medians(base) - 1
    return np.where(np.isfinite(change), change, np.nan)
