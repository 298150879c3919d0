"""The power of McNemar's test, and the smallest accuracy difference that it detects.

A row that is "not significant" says little without it (Table 2: 200 items per benchmark). Power is exact: the
number of discordant pairs is binomial, and given it the exact test is binomial (Miettinen 1968).
"""

from __future__ import annotations

import numpy as np
from scipy import stats as scipy_stats
from scipy.optimize import brentq

from dart.core.errors import DataError


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
    n_discordant = scipy_stats.binom(n, discordance)
    low, high = (int(value) for value in n_discordant.ppf([1e-12, 1 - 1e-12]))
    m = np.arange(max(low, 1), high + 1)
    # the test rejects at most `critical` or at least m - critical of m: 2 P(X <= critical | 1/2) <= alpha
    critical = scipy_stats.binom.ppf(alpha / 2, m, 0.5)
    critical = np.where(scipy_stats.binom.cdf(critical, m, 0.5) <= alpha / 2, critical, critical - 1)
    share = min(1.0, max(0.0, (1 + difference / discordance) / 2))
    rejected = scipy_stats.binom.cdf(critical, m, share) + scipy_stats.binom.cdf(critical, m, 1 - share)
    return float((n_discordant.pmf(m) * rejected).sum())


def detectable_difference(n: int, discordance: float, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """The smallest accuracy difference found with `power` at this observed discordance share.

    None where even the largest possible difference, all discordant pairs on one side, is not: then the
    comparison could not have been significant at that power, whatever the models do.
    """
    if not 0 < power < 1:
        raise DataError(f"power: needs 0 < power < 1, got {power}.")
    if mcnemar_power(n, discordance, discordance, alpha) < power:
        return None
    return float(brentq(lambda d: mcnemar_power(n, discordance, d, alpha) - power, 0.0, discordance, xtol=1e-9))
