"""Means, ratios and differences over training seeds and items at once, with intervals that cover both.

An interval over items speaks of further items for one training; a claim about a recipe is about further trainings, too.
Seeds and items are crossed: every item is answered by the student of every seed. Not in the paper, which trains once.
Coverage at 3, 5 and 10 seeds: benchmarks/seed_coverage.py.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import stdtrit

from dart.core.errors import DataError
from dart.stats.decision import Floats
from dart.stats.equivalence import Equivalence, tango_interval
from dart.stats.intervals import Interval, percentile_interval

_ROUNDING = 1e-24  # variance of means below it is rounding: all of them are equal
_LEAST_P = 1e-300  # double precision ends soon after


class Crossed(NamedTuple):
    """An estimate for further seeds and items; `p` is two-sided against 0 and agrees with the interval.

    `low`, `high`, `se` and `p` are None with one seed, of which nothing about another seed follows.
    """

    estimate: float
    low: float | None
    high: float | None
    se: float | None
    p: float | None
    n_seeds: int
    n_items: int

    def json(self, digits: int = 6) -> dict[str, Any]:
        """{estimate, ci, se, p, n_seeds, n_items}; p to six significant digits."""
        return {
            **Interval(self.estimate, self.low, self.high).json(digits),
            "se": None if self.se is None else round(self.se, digits),
            "p": None if self.p is None else float(f"{self.p:.6g}"),
            "n_seeds": self.n_seeds,
            "n_items": self.n_items,
        }


class _Spread(NamedTuple):
    """The two parts of a mean's variance, each with the degrees of freedom that it is estimated with."""

    seeds: float
    df_seeds: int
    items: float
    df_items: int

    @property
    def variance(self) -> float:
        return self.seeds + self.items

    def reach(self, tail: float) -> float:
        """Half the width of an interval that leaves `tail` (at most 1/2) on each side."""
        parts = ((self.seeds, self.df_seeds), (self.items, self.df_items))
        return math.hypot(*(float(stdtrit(df, tail)) * math.sqrt(part) for part, df in parts if part > 0))

    def tail(self, distance: float) -> float:
        """The tail that an interval reaching `distance` far leaves: a one-sided p, at least 1e-300."""
        if distance < 0:
            return 1 - self.tail(-distance)
        if self.reach(_LEAST_P) <= distance:
            return _LEAST_P
        if distance == 0:
            return 0.5
        logarithm = brentq(
            lambda value: self.reach(min(0.5, math.exp(value))) - distance,
            math.log(_LEAST_P),
            math.log(0.5),
            xtol=1e-13,
            rtol=1e-14,
        )
        return math.exp(logarithm)


def crossed_mean(
    values: npt.ArrayLike, confidence: float = 0.95, bounds: tuple[float, float] = (-math.inf, math.inf)
) -> Crossed:
    """Mean of a seeds x items table with an interval for further seeds and items.

    The variance of the mean is that of the two-way random-effects model (Searle, Casella and McCulloch 1992,
    chapter 4): of the seeds, V(seed means), which holds the residual, and of the items, V(item means) - V(residual), 0
    where that is negative. Half the interval's width is the root of both parts, each with the squared t quantile of
    its own degrees of freedom (MOVER, Zou and Donner 2008), so it is never narrower than Student's t over seed means.
    One Satterthwaite approximation for the sum, and the residual in the items' part, cover 91 to 94 % at three to five
    seeds.

    Args:
        values: e.g. 1.0 where the answer is right, or the difference of two variants that share seeds and items.
        bounds: of the measure, e.g. (0, 1) of a rate; an interval is cut there. A table that does not vary at all
            (no drift case on any seed) has Tango's score interval of as many items without an event.

    Raises:
        DataError: no value, or one that is not finite.
    """
    table = _table(values)
    estimate = float(table.mean())
    spread = _spread(table)
    if spread is None:
        return Crossed(estimate, None, None, None, None, *table.shape)
    if spread.variance <= _ROUNDING:
        return _without_spread(estimate, table.shape, confidence, bounds)
    reach = spread.reach((1 - confidence) / 2)
    low, high = max(bounds[0], estimate - reach), min(bounds[1], estimate + reach)
    return Crossed(estimate, low, high, math.sqrt(spread.variance), 2 * spread.tail(abs(estimate)), *table.shape)


def crossed_ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike, confidence: float = 0.95) -> Crossed | None:
    """Sum of one seeds x items table over the sum of another, e.g. cases removed over cases before; None over 0.

    Linearised (delta method): the table of (numerator - ratio x denominator) / mean denominator has the ratio's
    variance.
    """
    above, below = _table(numerator), _table(denominator)
    if above.shape != below.shape:
        raise DataError(f"a ratio needs two tables of one shape, got {above.shape} and {below.shape}.")
    if below.sum() == 0:
        return None
    ratio = float(above.sum() / below.sum())
    spread = _spread((above - ratio * below) / below.mean())
    if spread is None:
        return Crossed(ratio, None, None, None, None, *above.shape)
    if spread.variance <= _ROUNDING:  # no case was removed, or every one
        cases = (above.shape[0], max(1, int(below.any(axis=0).sum())))
        return _without_spread(ratio, cases, confidence, (-math.inf, 1.0))._replace(n_items=above.shape[1])
    reach = spread.reach((1 - confidence) / 2)
    p = 2 * spread.tail(abs(ratio))
    return Crossed(ratio, ratio - reach, ratio + reach, math.sqrt(spread.variance), p, *above.shape)


def crossed_equivalence(values: npt.ArrayLike, margin: float, alpha: float = 0.05) -> Equivalence:
    """TOST over seeds and items: the mean of a table of differences lies surely within +-margin.

    `p` is the larger of two one-sided tests (Schuirmann 1987); the interval has confidence 1 - 2 alpha. With one seed
    nothing is shown: p is 1.
    """
    if margin <= 0 or not 0 < alpha < 0.5:
        raise DataError(f"equivalence: needs margin > 0 and 0 < alpha < 0.5, got margin={margin}, alpha={alpha}.")
    table = _table(values)
    result = crossed_mean(table, 1 - 2 * alpha, (-1.0, 1.0))
    interval = Interval(result.estimate, result.low, result.high)
    spread = _spread(table)
    if spread is None or result.low is None or result.high is None:
        return Equivalence(margin, 1.0, False, interval)
    if spread.variance <= _ROUNDING:
        inside = -margin < result.low and result.high < margin
        return Equivalence(margin, _LEAST_P if inside else 1.0, inside, interval)
    p = max(spread.tail(margin + result.estimate), spread.tail(margin - result.estimate))
    return Equivalence(margin, p, p < alpha, interval)


def against_seeds(single: npt.ArrayLike, reference: npt.ArrayLike, confidence: float = 0.95) -> Crossed:
    """One training of an alternative against several of the reference recipe, on the same items.

    Student's t for a new observation: under the null hypothesis the alternative is one more training of the same
    recipe, so its mean differs from that of n seeds with variance sd^2 (1 + 1 / n), n - 1 degrees of freedom. The sd of
    the alternative's own trainings cannot be known from one and is taken to be the reference's. Where all seeds have
    the same mean, the variance is that of the paired differences over items.

    Args:
        single: of the alternative, by item.
        reference: seeds x items.
    """
    arm, table = _table(np.asarray(single, dtype=np.float64)[None]), _table(reference)
    if arm.shape[1] != table.shape[1]:
        raise DataError(f"seeds: {arm.shape[1]} items of one training against {table.shape[1]} of the others.")
    n_seeds, n_items = table.shape
    differences = arm[0] - table.mean(axis=0)
    estimate = float(differences.mean())
    if n_seeds < 2:
        return Crossed(estimate, None, None, None, None, n_seeds, n_items)
    df, variance = n_seeds - 1, float(table.mean(axis=1).var(ddof=1)) * (1 + 1 / n_seeds)
    if variance <= _ROUNDING and n_items > 1:
        df, variance = n_items - 1, float(differences.var(ddof=1)) / n_items
    if variance <= _ROUNDING:
        return _without_spread(estimate, table.shape, confidence, (-math.inf, math.inf))
    spread = _Spread(variance, df, 0.0, df)
    reach = spread.reach((1 - confidence) / 2)
    p = 2 * spread.tail(abs(estimate))
    return Crossed(estimate, estimate - reach, estimate + reach, math.sqrt(variance), p, n_seeds, n_items)


def multi_bootstrap(values: npt.ArrayLike, resamples: int, seed: int, confidence: float = 0.95) -> Interval:
    """Percentile interval of the mean over resampled seeds and, independently, resampled items (Sellam et al. 2022).

    Below some ten seeds it is too narrow: n resampled seeds vary by (n - 1) / n of what n seeds do, and a percentile
    knows no t. `crossed_mean` covers; this one is for comparison with the literature.
    """
    table = _table(values)
    n_seeds, n_items = table.shape
    rng = np.random.default_rng(seed)
    of_seeds = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=resamples) / n_seeds
    of_items = rng.multinomial(n_items, np.full(n_items, 1 / n_items), size=resamples) / n_items
    return percentile_interval(float(table.mean()), ((of_seeds @ table) * of_items).sum(axis=1), confidence)


def _table(values: npt.ArrayLike) -> Floats:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise DataError(f"seeds and items: needs a table with a value at least, not one of shape {table.shape}.")
    if not np.isfinite(table).all():
        raise DataError("seeds and items: a value of the table is not finite.")
    return table


def _spread(table: Floats) -> _Spread | None:
    """None with one seed or one item."""
    n_seeds, n_items = table.shape
    if min(table.shape) < 2:
        return None
    seed_means, item_means = table.mean(axis=1), table.mean(axis=0)
    residuals = table - seed_means[:, None] - item_means[None, :] + table.mean()
    residual = float(np.square(residuals).sum()) / ((n_seeds - 1) * (n_items - 1)) / (n_seeds * n_items)
    of_seeds, of_items = float(seed_means.var(ddof=1)) / n_seeds, float(item_means.var(ddof=1)) / n_items
    if of_seeds > _ROUNDING:  # equal seed means hold no residual: it stays in the items' part
        of_items = max(0.0, of_items - residual)
    return _Spread(of_seeds, n_seeds - 1, of_items, n_items - 1)


def _without_spread(estimate: float, shape: tuple[int, ...], confidence: float, bounds: tuple[float, float]) -> Crossed:
    """The score interval of as many items that all have one value, for example none with a drift case."""
    n_seeds, n_items = shape
    whole = round(estimate)
    low, high = estimate, estimate
    if whole in (-1, 0, 1) and abs(estimate - whole) < 1e-12:
        score = tango_interval(max(0, -whole) * n_items, max(0, whole) * n_items, n_items, confidence)
        assert score.low is not None  # of at least one item
        assert score.high is not None
        low, high = score.low, score.high
    p = 1.0 if abs(estimate) < 1e-12 else _LEAST_P
    return Crossed(estimate, max(bounds[0], low), min(bounds[1], high), 0.0, p, n_seeds, n_items)
