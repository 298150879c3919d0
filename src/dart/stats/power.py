"""Power: which accuracy difference McNemar's test detects, and how many training seeds and items a difference needs.

A row that is "not significant" says little without it (Table 2: 200 items per benchmark). McNemar's power is exact:
the number of discordant pairs is binomial, and given it the exact test is binomial (Miettinen 1968). Trainings are
compared by a paired t test, whose power is that of the noncentral t, or by the interval over seeds and items of
`crossed`, whose power is integrated over what n seeds make of their own variance.
"""

from __future__ import annotations

import functools
import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats as scipy_stats
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import ndtr, stdtrit

from dart.core.errors import DataError
from dart.stats.decision import Floats


def mcnemar_power(n: int, discordance: float, difference: float, alpha: float = 0.05) -> float:
    """Power of the exact two-sided McNemar test.

    n: pairs; discordance: share of pairs in which just one side is right; difference: of the accuracies, at most
    `discordance` in size.

    Raises:
        DataError: values that no paired table can have.
    """
    if n < 1 or not 0 <= discordance <= 1 or abs(difference) > discordance + 1e-12 or not 0 < alpha < 1:
        raise DataError(
            f"power: needs n >= 1, |difference| <= discordance <= 1 and 0 < alpha < 1, got n={n}, "
            f"discordance={discordance}, difference={difference}, alpha={alpha}."
        )
    if discordance == 0:
        return 0.0
    return _rejections(_rejection_regions(n, discordance, alpha), difference / discordance)


class _Regions(NamedTuple):
    """For each number m of discordant pairs: its probability, and the largest count at which the test rejects."""

    m: NDArray[np.int64]
    probability: Floats
    critical: Floats


def _rejection_regions(n: int, discordance: float, alpha: float) -> _Regions:
    low, high = (int(value) for value in scipy_stats.binom.ppf([1e-12, 1 - 1e-12], n, discordance))
    m = np.arange(max(low, 1), high + 1, dtype=np.int64)
    # the test rejects at most `critical` or at least m - critical of m: 2 P(X <= critical | 1/2) <= alpha
    critical = scipy_stats.binom.ppf(alpha / 2, m, 0.5)
    critical = np.where(scipy_stats.binom.cdf(critical, m, 0.5) <= alpha / 2, critical, critical - 1)
    return _Regions(m, scipy_stats.binom.pmf(m, n, discordance), critical)


def _rejections(regions: _Regions, imbalance: float) -> float:
    """Probability that the test rejects if the sides' shares of the discordant pairs differ by `imbalance`."""
    share = min(1.0, max(0.0, (1 + imbalance) / 2))
    tails = scipy_stats.binom.cdf(regions.critical, regions.m, [[share], [1 - share]])
    return float((regions.probability * (tails[0] + tails[1])).sum())


@functools.lru_cache(maxsize=4096)  # the same tables are compared in many places
def detectable_difference(n: int, discordance: float, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """The smallest accuracy difference found with `power` at this observed discordance share.

    None where even the largest possible difference, all discordant pairs on one side, is not: then the
    comparison could not have been significant at that power, whatever the models do.
    """
    if not 0 < power < 1:
        raise DataError(f"power: needs 0 < power < 1, got {power}.")
    if mcnemar_power(n, discordance, discordance, alpha) < power:
        return None
    regions = _rejection_regions(n, discordance, alpha)
    return float(brentq(lambda d: _rejections(regions, d / discordance) - power, 0.0, discordance, xtol=1e-9))


class PairedVariance(NamedTuple):
    """Where the variance of a paired rate difference comes from, as standard deviations."""

    seeds: float  # between trainings, of the difference over infinitely many items
    items: float  # between the items of one training, of the difference of a single item (-1, 0 or 1)


def paired_variance(differences: Sequence[Sequence[int]]) -> PairedVariance:
    """Method of moments: what the variance of the trainings' means has beyond that of their items.

    Args:
        differences: by training, then by item: 1 if only the first of two variants drifted there, -1 if only the
            second, else 0. At least two trainings and two items, all with the same number of items.

    Raises:
        DataError: too few of them, or of different lengths.
    """
    lengths = {len(row) for row in differences}
    if len(differences) < 2 or len(lengths) != 1 or min(lengths) < 2:
        raise DataError("power: needs two trainings at least, each with the same two items or more.")
    table = np.asarray(differences, dtype=np.float64)
    within = table.var(axis=1, ddof=1).mean()
    between = table.mean(axis=1).var(ddof=1) - within / table.shape[1]
    return PairedVariance(math.sqrt(max(0.0, between)), math.sqrt(within))


def trainings_needed(
    difference: float, variance: PairedVariance, items: int, power: float = 0.8, alpha: float = 0.05, most: int = 1000
) -> int | None:
    """Trainings of both variants for a two-sided paired t test to find `difference` with `power`; None above `most`.

    Raises:
        DataError: values that no comparison can have.
    """
    if items < 1 or not 0 < power < 1 or not 0 < alpha < 1 or difference == 0:
        raise DataError(
            f"power: needs items >= 1, 0 < power < 1, 0 < alpha < 1 and a difference, got {items}, {power}, {alpha}, "
            f"{difference}."
        )
    sd = math.sqrt(variance.seeds**2 + variance.items**2 / items)
    if sd == 0:
        return 2
    counts = range(2, most + 1)  # power rises with each
    index = bisect_left(counts, power, key=lambda n: _paired_t_power(abs(difference) / sd, n, alpha))
    return counts[index] if index < len(counts) else None


def _paired_t_power(effect: float, n: int, alpha: float) -> float:
    """P(|T| > t) for T = (Z + shift) / S, averaged over S; scipy's noncentral t is NaN far out in its tail."""
    df = n - 1
    critical = float(stdtrit(df, 1 - alpha / 2))
    shift, scale = effect * math.sqrt(n), critical / math.sqrt(df)
    log_constant = (df / 2 - 1) * math.log(2) + math.lgamma(df / 2)

    def weighted(spread: float) -> float:  # by the density of chi; scipy's own `expect` takes a hundred times as long
        density = math.exp((df - 1) * math.log(spread) - spread * spread / 2 - log_constant) if spread > 0 else 0.0
        return float(ndtr(shift - scale * spread) + ndtr(-shift - scale * spread)) * density

    middle = math.sqrt(df)  # eleven standard deviations on either side, none above 1 / sqrt(2)
    return float(quad(weighted, max(0.0, middle - 8), middle + 8, points=(middle,))[0])


class CrossedVariance(NamedTuple):
    """Standard deviations of a paired difference: between seeds, between items, and of a seed on one item."""

    seeds: float
    items: float
    residual: float


def crossed_power(difference: float, sd: CrossedVariance, n_seeds: int, n_items: int, alpha: float = 0.05) -> float:
    """Power of the two-sided test that `crossed.crossed_mean` gives for a mean over seeds and items.

    The items' variance is known well; that of the seeds is estimated from n of them, so power is the average over the
    chi-square distribution of this estimate.

    Raises:
        DataError: fewer than two seeds or items, or no level between 0 and 1.
    """
    if min(n_seeds, n_items) < 2 or not 0 < alpha < 1 or min(sd) < 0:
        raise DataError(
            f"power: needs two seeds and two items at least and 0 < alpha < 1, got {n_seeds}, {n_items}, {alpha}, {sd}."
        )
    residual = sd.residual**2 / (n_seeds * n_items)
    of_seeds, of_items = sd.seeds**2 / n_seeds + residual, sd.items**2 / n_items
    if of_seeds + of_items == 0:
        return 1.0 if difference else alpha
    quantiles = (np.arange(2000) + 0.5) / 2000
    estimated = of_seeds * scipy_stats.chi2.ppf(quantiles, n_seeds - 1) / (n_seeds - 1)
    t_seeds, t_items = (scipy_stats.t.isf(alpha / 2, n - 1) for n in (n_seeds, n_items))
    reach = np.sqrt(t_seeds**2 * estimated + t_items**2 * of_items)
    scale = math.sqrt(of_seeds + of_items)
    beyond = scipy_stats.norm.sf((reach - difference) / scale) + scipy_stats.norm.cdf((-reach - difference) / scale)
    return float(beyond.mean())


def seeds_needed(
    difference: float,
    sd: CrossedVariance,
    n_items: int,
    power: float = 0.8,
    alpha: float = 0.05,
    most: int = 1000,
) -> int | None:
    """Training seeds that find `difference` with `power` on `n_items` items; None above `most`.

    None where the items are too few for any number of seeds.
    """
    if difference == 0 or not 0 < power < 1:
        raise DataError(f"power: needs a difference and 0 < power < 1, got {difference}, {power}.")
    counts = range(2, most + 1)
    index = bisect_left(counts, power, key=lambda n: crossed_power(abs(difference), sd, n, n_items, alpha))
    return counts[index] if index < len(counts) else None


def detectable_over_seeds(
    sd: CrossedVariance, n_seeds: int, n_items: int, power: float = 0.8, alpha: float = 0.05
) -> float:
    """The smallest difference found with `power` on as many seeds and items."""
    scale = math.sqrt(sd.seeds**2 / n_seeds + sd.items**2 / n_items + sd.residual**2 / (n_seeds * n_items))
    if scale == 0:
        return 0.0
    most = 4 * scale * float(scipy_stats.t.isf(alpha / 2, n_seeds - 1)) + 10 * scale
    return float(
        brentq(lambda d: crossed_power(d, sd, n_seeds, n_items, alpha) - power, 0.0, most, xtol=1e-9, rtol=1e-9)
    )
