"""From resamples to an interval: percentile and BCa, one place for all bootstraps.

Section 3.2 reports percentile intervals. BCa (Efron 1987, Efron & Tibshirani 1993, eq. 14.9-14.15) corrects them
for the bias and skewness of the statistic and stands beside them; where the correction has no finite value
(every resample on one side of the estimate, no defined leave-one-out value) it is the percentile interval.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from dart.core.errors import DataError

Floats = NDArray[np.float64]
Method = Literal["percentile", "bca"]

_TIE = 1e-12  # values this close to the estimate, relatively, equal it up to floating-point rounding


class Interval(NamedTuple):
    """An estimate with its interval; None where it is not defined."""

    estimate: float | None
    low: float | None
    high: float | None

    @property
    def bounded(self) -> bool:
        """Whether there is an interval; one of no width says nothing about what else the estimate could have been."""
        if self.low is None or self.high is None:
            return False
        return self.high - self.low > _TIE * max(1.0, abs(self.low))

    def json(self, digits: int | None = 6) -> dict[str, Any]:
        """{"estimate": e, "ci": [low, high]}, rounded to `digits` decimals (None: not rounded).

        "ci" is None without bounds, and where they coincide: resamples that are all equal are no interval.
        """
        if not self.bounded:
            return {"estimate": rounded(self.estimate, digits), "ci": None}
        return {"estimate": rounded(self.estimate, digits), "ci": [rounded(b, digits) for b in (self.low, self.high)]}


def rounded(value: float | None, digits: int | None) -> float | None:
    """`value` with `digits` decimals; with digits None, and None itself, as it is."""
    return value if value is None or digits is None else round(value, digits)


class Jackknife(NamedTuple):
    """Leave-one-out values of a statistic, each standing for `weights` equal observations."""

    values: Floats
    weights: Floats


def percentile_interval(estimate: float, resampled: NDArray[Any], confidence: float) -> Interval:
    """The interval between the (1 - confidence) / 2 quantiles of the resamples in which the statistic is defined."""
    tail = (1 - confidence) / 2
    return _between(estimate, resampled, (tail, 1 - tail))


def bca_interval(estimate: float, resampled: NDArray[Any], jackknife: Jackknife, confidence: float) -> Interval:
    """The bias-corrected and accelerated interval; the percentile interval where BCa has no finite value."""
    tail = (1 - confidence) / 2
    levels = None if np.isnan(estimate) else _bca_levels(estimate, resampled, jackknife, tail)
    return _between(estimate, resampled, levels or (tail, 1 - tail))


def interval(
    estimate: float, resampled: NDArray[Any], confidence: float, method: Method, jackknife: Jackknife | None
) -> Interval:
    """`percentile_interval` or `bca_interval` by name."""
    if method == "percentile":
        return percentile_interval(estimate, resampled, confidence)
    if method != "bca" or jackknife is None:
        raise DataError(f"bootstrap: unknown method {method!r}. Use 'percentile' or 'bca'.")
    return bca_interval(estimate, resampled, jackknife, confidence)


def _between(estimate: float, resampled: NDArray[Any], levels: tuple[float, float]) -> Interval:
    if np.isnan(estimate):
        return Interval(None, None, None)
    defined = resampled[~np.isnan(resampled)]
    if defined.size == 0:
        return Interval(float(estimate), None, None)
    low, high = np.quantile(defined, levels)
    return Interval(float(estimate), float(low), float(high))


def _bca_levels(estimate: float, resampled: Floats, jackknife: Jackknife, tail: float) -> tuple[float, float] | None:
    defined = resampled[~np.isnan(resampled)]
    if defined.size == 0:
        return None
    equal = np.abs(defined - estimate) <= _TIE * max(1.0, abs(estimate))
    below = (np.sum((defined < estimate) & ~equal) + np.sum(equal) / 2) / defined.size  # ties count half, as in scipy
    acceleration = _acceleration(jackknife)
    if below in (0.0, 1.0) or acceleration is None:
        return None
    bias = ndtri(below)  # eq. 14.14
    levels = []
    for z in (bias + ndtri(tail), bias - ndtri(tail)):
        scale = 1 - acceleration * z
        if scale <= 0:
            return None
        levels.append(float(ndtr(bias + z / scale)))  # eq. 14.10
    return levels[0], levels[1]


def _acceleration(jackknife: Jackknife) -> float | None:
    """Eq. 14.15; 0 for a statistic that no observation moves, None without a defined leave-one-out value."""
    defined = ~np.isnan(jackknife.values)
    values, weights = jackknife.values[defined], jackknife.weights[defined]
    if weights.sum() == 0:
        return None
    deviation = np.average(values, weights=weights) - values
    spread = float((weights * deviation**2).sum())
    return 0.0 if spread <= 0 else float((weights * deviation**3).sum()) / (6 * spread**1.5)
