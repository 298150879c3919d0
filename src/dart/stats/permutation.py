"""Paired permutation test: under the null hypothesis the two members of a pair can be swapped.

Section 3.2 of the paper prints permutation p-values below 1e-12 from 10,000 resamples. A permutation p cannot be
smaller than 1 / (resamples + 1), because the observed order is one of the possible ones (Phipson & Smyth 2010).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dart.core.errors import DataError
from dart.stats.checks import finite
from dart.stats.decision import Floats
from dart.stats.quantiles import medians

Alternative = Literal["two-sided", "less", "greater"]

_CHUNK_VALUES = 1_000_000
_TIE = 1e-12  # relative: statistics this close are equal up to the order of summation


class Permutation(NamedTuple):
    """`resamples` is the number of random swaps, or of all possible ones if `exact`."""

    statistic: float
    p: float
    resamples: int
    exact: bool


def mean_difference(base: Floats, other: Floats) -> Floats:
    """mean(other - base) along the last axis."""
    return np.asarray((other - base).mean(axis=-1), dtype=np.float64)


def median_difference(base: Floats, other: Floats) -> Floats:
    """median(other) - median(base) along the last axis."""
    return medians(other) - medians(base)


# Deviates from the paper: permutation-floor - p is (1 + hits) / (resamples + 1) and so never 0
def sign_flip(
    base: Sequence[float],
    other: Sequence[float],
    resamples: int,
    seed: int,
    statistic: Callable[[Floats, Floats], Floats] = mean_difference,
    alternative: Alternative = "two-sided",
) -> Permutation:
    """Test `statistic` (two (..., n) arrays to (...,), zero under no effect) by swapping pairs at random.

    For a mean difference a swap flips a sign. Equal pairs cannot matter; if the others allow no more than
    `resamples` patterns, all are enumerated and p is exact; else p = (1 + hits) / (resamples + 1).
    "two-sided" counts |statistic|.

    Raises:
        DataError: samples of different length, or empty.
    """
    first, second = finite(base, "permutation"), finite(other, "permutation")
    if first.shape != second.shape or first.size == 0:
        raise DataError(f"permutation: needs two equally long samples, got {first.size} and {second.size} values.")
    observed = float(statistic(first[None], second[None])[0])
    if np.isnan(observed):
        raise DataError("permutation: the statistic is not defined for these values (for example a median of 0).")
    unequal = np.flatnonzero(first != second)
    exact = unequal.size < 63 and 2**unequal.size <= resamples
    total = 2**unequal.size if exact else resamples
    rng = np.random.default_rng(seed)
    step, hits = max(1, _CHUNK_VALUES // first.size), 0
    for start in range(0, total, step):
        rows = np.arange(start, min(start + step, total))
        swapped = np.zeros((rows.size, first.size), dtype=bool)
        if exact:
            swapped[:, unequal] = (rows[:, None] >> np.arange(unequal.size)) & 1
        else:
            swapped[:, unequal] = _coins(rng, rows.size, unequal.size)
        values = statistic(np.where(swapped, second, first), np.where(swapped, first, second))
        hits += int(_as_extreme(values, observed, alternative).sum())
    return Permutation(observed, hits / total if exact else (1 + hits) / (total + 1), total, exact)


def _coins(rng: np.random.Generator, rows: int, columns: int) -> NDArray[np.bool_]:
    """Fair coins, eight to a random byte."""
    packed = rng.integers(0, 256, size=(rows, -(-columns // 8)), dtype=np.uint8)
    return np.unpackbits(packed, axis=1, count=columns).astype(bool)


def _as_extreme(values: Floats, observed: float, alternative: Alternative) -> NDArray[np.bool_]:
    tolerance = _TIE * abs(observed)
    if alternative == "two-sided":
        return np.asarray(np.abs(values) >= abs(observed) - tolerance)
    if alternative == "greater":
        return np.asarray(values >= observed - tolerance)
    return np.asarray(values <= observed + tolerance)
