"""Equivalence: what may be said when something is claimed to be unchanged.

The paper reads "not significant" as "unchanged" (Sections 3.2, 4). Two one-sided tests (TOST, Schuirmann 1987) put the
burden the other way round: the difference must be shown to lie within +-margin, which is the same as its
(1 - 2 alpha) interval lying there. Accuracy uses Tango's score test, which stays defined without discordant pairs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from statsmodels.stats.weightstats import DescrStatsW, ttost_paired

from dart.core.errors import DataError
from dart.stats.intervals import Interval


class Equivalence(NamedTuple):
    """`p` is the larger of the two one-sided p-values; `interval` has confidence 1 - 2 alpha."""

    margin: float
    p: float
    equivalent: bool
    interval: Interval

    def json(self, digits: int = 6) -> dict[str, Any]:
        """{"margin", "p", "equivalent", "estimate", "ci"}, p to six significant digits."""
        return {
            "margin": self.margin,
            "p": float(f"{self.p:.6g}"),
            "equivalent": self.equivalent,
            **self.interval.json(digits),
        }


def equivalent_accuracy(b: int, c: int, n: int, margin: float, alpha: float = 0.05) -> Equivalence:
    """TOST of the paired accuracy difference (c - b) / n by Tango's score statistic (Tango 1998; Liu et al. 2002).

    b: base right and other wrong; c: base wrong and other right; n: all pairs.
    """
    _check(margin, alpha)
    if min(b, c) < 0 or n < 1 or b + c > n:
        raise DataError(f"equivalence: needs 0 <= b + c <= n and a pair, got b={b}, c={c}, n={n}.")
    p = max(float(ndtr(-_tango(b, c, n, -margin))), float(ndtr(_tango(b, c, n, margin))))
    return Equivalence(margin, p, p < alpha, tango_interval(b, c, n, 1 - 2 * alpha))


def tango_interval(b: int, c: int, n: int, confidence: float = 0.95) -> Interval:
    """Score interval of the paired difference of proportions (c - b) / n (Tango 1998)."""
    z = float(ndtri((1 + confidence) / 2))
    estimate = (c - b) / n

    def beyond(target: float) -> Callable[[float], float]:
        return lambda difference: _tango(b, c, n, difference) - target

    low = -1.0 if estimate == -1 else brentq(beyond(z), -1 + 1e-12, estimate, xtol=1e-14, rtol=1e-14)
    high = 1.0 if estimate == 1 else brentq(beyond(-z), estimate, 1 - 1e-12, xtol=1e-14, rtol=1e-14)
    return Interval(estimate, float(low), float(high))


def equivalent_mean(base: Sequence[float], other: Sequence[float], margin: float, alpha: float = 0.05) -> Equivalence:
    """TOST of the mean of other - base by paired t tests (statsmodels). A single pair never shows equivalence."""
    _check(margin, alpha)
    first, second = np.asarray(base, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if first.shape != second.shape or first.size == 0:
        raise DataError(f"equivalence: needs two equally long samples, got {first.size} and {second.size} values.")
    difference = second - first
    mean = float(difference.mean())
    if difference.size == 1:
        return Equivalence(margin, 1.0, False, Interval(mean, None, None))
    error = float(difference.std(ddof=1)) / math.sqrt(difference.size)
    if error == 0:  # every pair moved by the same amount
        p = 0.0 if abs(mean) < margin else 1.0
        return Equivalence(margin, p, p < alpha, Interval(mean, mean, mean))
    p = float(ttost_paired(second, first, -margin, margin)[0])
    low, high = _mean_interval(difference, alpha)
    return Equivalence(margin, p, p < alpha, Interval(mean, low, high))


def within(interval: Interval, margin: float) -> bool | None:
    """Does a (1 - 2 alpha) interval, for example a bootstrap one, lie inside +-margin? None if it is not defined."""
    if interval.low is None or interval.high is None:
        return None
    return -margin < interval.low and interval.high < margin


def _mean_interval(difference: Any, alpha: float) -> tuple[float, float]:
    low, high = DescrStatsW(difference).tconfint_mean(alpha=2 * alpha)
    return float(low), float(high)


def _tango(b: int, c: int, n: int, difference: float) -> float:
    """Score statistic of H0: p(other right, base wrong) - p(base right, other wrong) = difference.

    `b_rate` is the restricted maximum-likelihood estimate of the latter: the larger root of Tango's quadratic.
    """
    linear = (2 * n - c + b) * difference - (b + c)
    constant = -b * difference * (1 - difference)
    b_rate = (math.sqrt(max(linear**2 - 8 * n * constant, 0.0)) - linear) / (4 * n)
    variance = n * (2 * b_rate + difference * (1 - difference))
    gap = c - b - n * difference
    if variance <= 0:
        return 0.0 if gap == 0 else math.copysign(math.inf, gap)
    return gap / math.sqrt(variance)


def _check(margin: float, alpha: float) -> None:
    if margin <= 0 or not 0 < alpha < 0.5:
        raise DataError(f"equivalence: needs margin > 0 and 0 < alpha < 0.5, got margin={margin}, alpha={alpha}.")
