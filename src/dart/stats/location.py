"""Hodges-Lehmann shift: how far the other sample lies from the base, in the unit of the values.

A rank test says whether toxicity changed (Section 3.3), not by how much. The estimate that belongs to Wilcoxon's test
is the median of all Walsh averages of the paired differences, to Mann-Whitney's the median of all differences between
the samples; the interval inverts the test (Hollander, Wolfe & Chicken 2014, sections 3.2, 3.3, 4.2, 4.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from dart.core.errors import DataError
from dart.stats.checks import finite
from dart.stats.decision import Floats
from dart.stats.intervals import Interval

_ENUMERATED = 4_000_000  # values held at once, 32 MB; above, ranks are found by bisection
_EXACT_BELOW = 50  # as R's wilcox.test: exact null distribution for samples smaller than this


def paired_shift(base: Sequence[float], other: Sequence[float], confidence: float = 0.95) -> Interval:
    """Median of the Walsh averages of other - base, n(n + 1) / 2 of them; zero differences are kept.

    Ties make the interval conservative. With too few pairs for the confidence it spans all averages.

    Raises:
        DataError: samples of different length, or empty.
    """
    if len(base) != len(other) or not len(base):
        raise DataError(f"Hodges-Lehmann: needs two equally long samples, got {len(base)} and {len(other)} values.")
    difference = np.sort(finite(other, "Hodges-Lehmann") - finite(base, "Hodges-Lehmann"))
    n = difference.size
    total = n * (n + 1) // 2
    if n < _EXACT_BELOW:
        rank = _exact_rank(_signed_rank_counts(n), confidence)
    else:
        rank = _normal_rank(total / 2, np.sqrt(n * (n + 1) * (2 * n + 1) / 24), confidence)
    if total <= _ENUMERATED:
        rows, columns = np.triu_indices(n)
        return _interval(_sorted_values((difference[rows] + difference[columns]) / 2), total, rank)

    def at_most(value: float) -> int:  # each i < j is counted twice in the full square, i = j once
        square = int(np.searchsorted(difference, 2 * value - difference, side="right").sum())
        return (square + int(np.searchsorted(difference, value, side="right"))) // 2

    return _interval(_bisected(at_most, float(difference[0]), float(difference[-1])), total, rank)


def shift(base: Sequence[float], other: Sequence[float], confidence: float = 0.95) -> Interval:
    """Median of all differences other_j - base_i of two independent samples.

    Raises:
        DataError: an empty sample.
    """
    if not len(base) or not len(other):
        raise DataError(f"Hodges-Lehmann: both samples need values, got {len(base)} and {len(other)}.")
    first, second = (np.sort(finite(values, "Hodges-Lehmann")) for values in (base, other))
    n, m = first.size, second.size
    if n < _EXACT_BELOW and m < _EXACT_BELOW:
        rank = _exact_rank(_mann_whitney_counts(n, m), confidence)
    else:
        rank = _normal_rank(n * m / 2, np.sqrt(n * m * (n + m + 1) / 12), confidence)
    if n * m <= _ENUMERATED:
        return _interval(_sorted_values((second[:, None] - first[None, :]).ravel()), n * m, rank)

    def at_most(value: float) -> int:
        return int(np.searchsorted(second, value + first, side="right").sum())

    return _interval(_bisected(at_most, float(second[0] - first[-1]), float(second[-1] - first[0])), n * m, rank)


class _Ranked(NamedTuple):
    """Looks up the k-th smallest value, k from 1."""

    at: Callable[[int], float]


def _interval(values: _Ranked, total: int, rank: int) -> Interval:
    middle = (values.at((total + 1) // 2) + values.at(total // 2 + 1)) / 2
    return Interval(middle, values.at(rank), values.at(total + 1 - rank))


def _sorted_values(values: Floats) -> _Ranked:
    values.sort()
    return _Ranked(lambda k: float(values[k - 1]))


def _bisected(at_most: Callable[[float], int], lowest: float, highest: float) -> _Ranked:
    """Ranks without holding the values: narrow a bracket until no float lies inside it."""

    def at(k: int) -> float:
        low, high = np.nextafter(lowest, -np.inf), highest
        while True:
            middle = low + (high - low) / 2
            if middle <= low or middle >= high:
                return float(high)
            low, high = (low, middle) if at_most(middle) >= k else (middle, high)

    return _Ranked(at)


def _exact_rank(counts: NDArray[np.float64], confidence: float) -> int:
    """R's qsignrank / qwilcox: the smallest statistic whose lower tail reaches (1 - confidence) / 2, at least 1."""
    tail = np.cumsum(counts) / counts.sum()
    return max(1, int(np.searchsorted(tail, (1 - confidence) / 2)))


def _normal_rank(mean: float, deviation: float, confidence: float) -> int:
    return max(1, int(np.floor(mean + ndtri((1 - confidence) / 2) * deviation)))


def _signed_rank_counts(n: int) -> Floats:
    """Number of sign patterns of 1..n with each sum of positive ranks, 0..n(n + 1) / 2."""
    counts = np.zeros(n * (n + 1) // 2 + 1)
    counts[0] = 1
    for rank in range(1, n + 1):
        counts[rank:] = counts[rank:] + counts[: counts.size - rank]
    return counts


def _mann_whitney_counts(n: int, m: int) -> Floats:
    """Number of arrangements with each U, 0..nm: the Gaussian binomial coefficient as a product of quotients."""
    counts = [1] + [0] * (n * m)  # whole numbers: the quotients would cancel catastrophically in floating point
    for part in range(1, n + 1):
        for index in range(n * m, m + part - 1, -1):  # times 1 - q^(m + part)
            counts[index] -= counts[index - m - part]
        for index in range(part, n * m + 1):  # over 1 - q^part
            counts[index] += counts[index - part]
    return np.asarray(counts, dtype=np.float64)
