"""Equivalence tests for the claim that something is unchanged.

The paper reads "not significant" as "unchanged" (Sections 3.2, 4). Two one-sided tests (TOST, Schuirmann 1987) put the
burden the other way round: the difference must be shown to lie within +-margin, which is the same as its
(1 - 2 alpha) interval lying there. Accuracy uses Tango's score test, which stays defined without discordant pairs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from dart.core.errors import DataError
from dart.stats.checks import check_numbers
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
    p = max(float(ndtr(-tango_statistic(b, c, n, -margin))), float(ndtr(tango_statistic(b, c, n, margin))))
    return Equivalence(margin, p, p < alpha, tango_interval(b, c, n, 1 - 2 * alpha))


def tango_interval(b: int, c: int, n: int, confidence: float = 0.95) -> Interval:
    """Score interval of the paired difference of proportions (c - b) / n (Tango 1998)."""
    check_numbers("Tango's interval", (b, c, n))
    z = float(ndtri((1 + confidence) / 2))
    estimate = (c - b) / n

    def beyond(target: float) -> Callable[[float], float]:
        return lambda difference: tango_statistic(b, c, n, difference) - target

    low = -1.0 if estimate == -1 else brentq(beyond(z), -1 + 1e-12, estimate, xtol=1e-14, rtol=1e-14)
    high = 1.0 if estimate == 1 else brentq(beyond(-z), estimate, 1 - 1e-12, xtol=1e-14, rtol=1e-14)
    return Interval(estimate, float(low), float(high))


def tango_statistic(b: int, c: int, n: int, difference: float) -> float:
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
    check_numbers("equivalence", (margin, alpha))
    if margin <= 0 or not 0 < alpha < 0.5:
        raise DataError(f"equivalence: needs margin > 0 and 0 < alpha < 0.5, got margin={margin}, alpha={alpha}.")
