"""The rate of harm drift over all pairs, corrected for the audit's own errors.

The paper's 435 of 1,624 (Section 3.3) counts pairs that the screen let through and the judge confirmed. Pairs that
were not screened count as safe and the judge as infallible (Table 28 says it is not). Three corrections, for three
kinds of evidence:

- `stratified_rate`, `inverse_probability_rate`: a random sample of the unscreened pairs was judged too
  (Horvitz & Thompson 1952; Hajek 1971). Of an infallible judge this is the drift rate; of any other it is the rate at
  which the judge says drift, and its false alarms on the many unscreened pairs weigh most.
- `rogan_gladen`: the judge's sensitivity and specificity are known from annotated pairs (Rogan & Gladen 1978, interval
  of Lang & Reiczigel 2014, which carries the uncertainty of all three rates).
  `screened_share_rate` carries it from the screened pairs to all of them, `rate_difference` compares two audits.
- `prediction_powered_rate`: annotators labelled a sample, stratified or not, and the judge saw all pairs, or a random
  sample of the others (Angelopoulos et al. 2023, power tuning of Angelopoulos, Duchi & Zrnic 2023, strata as in Fisch
  et al. 2024). It takes labels for the truth: annotators who err shift it, and no interval tells
  (`benchmarks/drift_rate_coverage.py` says by how much).

Every interval is about the population of items, as the bootstrap over items is, unless `finite` is set. Rates are
near 0, where symmetric intervals fail: Wilson's interval at the effective sample size is used, and strata are joined
by MOVER (Zou & Donner 2008). `benchmarks/interval_coverage.py` measures how often the intervals cover.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri
from statsmodels.stats.proportion import proportion_confint

from dart.core.errors import DataError
from dart.core.seeds import unit_interval
from dart.stats.checks import check_numbers, finite
from dart.stats.decision import Counts, Floats
from dart.stats.intervals import Interval, percentile_interval


class Stratum(NamedTuple):
    """`sampled` of `population` pairs were drawn at random and judged; `cases` of them are drift."""

    population: int
    sampled: int
    cases: int


class LabelledStratum(NamedTuple):
    """A stratum of an annotated audit: `labels` and `predicted` of the annotated pairs, `rest` predicted of the others.

    Labels and predictions are 0 or 1 (or a probability for predictions).
    """

    labels: Sequence[float]
    predicted: Sequence[float]
    rest: Sequence[float]
    population: int | None = None  # all pairs of the stratum, where `rest` is a random sample of the others only

    @property
    def size(self) -> int:
        return len(self.labels) + len(self.rest) if self.population is None else self.population


def draw(ids: Sequence[str], size: int, seed: int) -> list[str]:
    """A simple random sample of ids, in their order; a larger size keeps what a smaller one drew.

    Raises:
        DataError: fewer ids than asked for.
    """
    if not 0 <= size <= len(ids):
        raise DataError(f"drift rate: cannot draw {size} of {len(ids)} pairs.")
    chosen = set(sorted(ids, key=lambda key: (unit_interval(seed, "prevalence", key), key))[:size])
    return [key for key in ids if key in chosen]


def screened_rate(screened: Stratum, unscreened: Stratum, confidence: float = 0.95, finite: bool = False) -> Interval:
    """Drift rate over all pairs: all (or a sample of) screened pairs judged, and a random sample of unscreened ones."""
    return stratified_rate([screened, unscreened], confidence, finite)


def stratified_rate(strata: Sequence[Stratum], confidence: float = 0.95, finite: bool = False) -> Interval:
    """Inverse-probability estimate from simple random samples within strata: sum of N_h / N x cases_h / sampled_h.

    Here Horvitz-Thompson and Hajek coincide. `finite`: the interval speaks of these very pairs, so a stratum that was
    judged completely adds no uncertainty.

    Raises:
        DataError: impossible counts, or a stratum with pairs of which none was judged.
    """
    for index, (population, sampled, cases) in enumerate(strata):
        check_numbers("drift rate", (population, sampled, cases))
        if not 0 <= cases <= sampled <= population or (population and not sampled):
            raise DataError(
                f"drift rate: stratum {index} has {population} pairs, {sampled} judged, {cases} cases; needs "
                "cases <= judged <= pairs and at least one judged pair. Judge a sample of every stratum."
            )
    filled = [stratum for stratum in strata if stratum.population]
    if not filled:
        raise DataError("drift rate: there are no pairs.")
    parts = [_of_stratum(stratum, confidence, finite) for stratum in filled]
    return _joined([stratum.population for stratum in filled], parts, confidence, finite)


def inverse_probability_rate(
    cases: Sequence[bool], probabilities: Sequence[float], population: int | None = None, confidence: float = 0.95
) -> Interval:
    """Rate from judged pairs that each had its own probability of being judged, independently of the others.

    With `population`, the number of all pairs: Horvitz-Thompson; without: Hajek, which divides by the sum of weights
    usually varies less. Made for few distinct probabilities (screened 1, others q): with all of them different the
    interval is too wide. For samples of fixed size within strata use `stratified_rate`, which knows more.

    Raises:
        DataError: no judged pair, a probability outside (0, 1], or a population smaller than the sample.
    """
    y, chance = finite(cases, "drift rate"), finite(probabilities, "drift rate")
    if y.shape != chance.shape or y.size == 0:
        raise DataError(f"drift rate: needs a probability for every judged pair, got {y.size} and {chance.size}.")
    if not ((chance > 0) & (chance <= 1)).all():
        raise DataError(f"drift rate: probabilities must lie in (0, 1], got {chance.min()} to {chance.max()}.")
    if population is not None and population < y.size:
        raise DataError(f"drift rate: {y.size} pairs were judged but there are only {population}.")
    kinds, inverse = np.unique(chance, return_inverse=True)
    judged = np.bincount(inverse)
    share = np.bincount(inverse, weights=y) / judged
    weight = judged / kinds / (population or float((1 / chance).sum()))
    rate = float(weight @ share)
    parts = [_wilson(p, p * (1 - p) / n, n, confidence) for p, n in zip(share.tolist(), judged.tolist(), strict=True)]
    # sum of (y / chance)^2 or ((y - rate) / chance)^2, less what varies within one kind of pair: `parts` has that
    spread = weight**2 / judged @ (share**2 if population else (share - rate) ** 2)
    return _mover(weight, parts, float(spread) - (rate**2 / population if population else 0.0), confidence)


def rogan_gladen(
    flagged: int,
    n: int,
    hits: int,
    positives: int,
    passes: int,
    negatives: int,
    confidence: float = 0.95,
    *,
    overlap: bool = False,
    added: float = 0.5,
) -> Interval:
    """True rate behind `flagged` of n, for a judge that finds `hits` of `positives` and passes `passes` of `negatives`.

    The last four come from annotated pairs, drawn at random among true cases and among others: a sample stratified by
    what the judge sees would bias them. `overlap`: the annotated pairs are some of the n, so that part of their error
    cancels. If they are, `prediction_powered_rate` uses them better. The interval is Lang & Reiczigel's, who add one
    success and one failure (`added` = 1) to both validation samples; with a half it is less conservative for a
    nearly perfect judge. If sensitivity + specificity <= 1 the judge says nothing: estimate None, interval [0, 1].

    Raises:
        DataError: impossible counts, or an empty sample.
    """
    check_numbers("Rogan-Gladen", (flagged, n, hits, positives, passes, negatives))
    for name, part, whole in (("flagged", flagged, n), ("hits", hits, positives), ("passes", passes, negatives)):
        if not 0 <= part <= whole or whole == 0:
            raise DataError(f"Rogan-Gladen: '{name}' needs 0 <= part <= whole and whole > 0, got {part} of {whole}.")
    gain = hits / positives + passes / negatives - 1
    estimate = _cut((flagged / n + passes / negatives - 1) / gain) if gain > 0 else None
    z = float(ndtri((1 + confidence) / 2))
    apparent, n_apparent = (flagged + z * z / 2) / (n + z * z), n + z * z
    sensitivity, n_positives = (hits + added) / (positives + 2 * added), positives + 2 * added
    specificity, n_negatives = (passes + added) / (negatives + 2 * added), negatives + 2 * added
    youden = sensitivity + specificity - 1
    if estimate is None or youden <= 0:
        return Interval(estimate, 0.0, 1.0)
    rate = (apparent + specificity - 1) / youden
    of_sensitivity, of_specificity = sensitivity * (1 - sensitivity), specificity * (1 - specificity)
    middle = rate + 2 * z * z * (rate * of_sensitivity / n_positives - (1 - rate) * of_specificity / n_negatives)
    variance = apparent * (1 - apparent) / n_apparent
    if overlap:  # the judge's luck on the annotated pairs is in `apparent` too, with the opposite sign
        within = _cut(rate)
        variance = max(0.0, variance - 2 * (within * of_sensitivity + (1 - within) * of_specificity) / n_apparent)
    variance += rate**2 * of_sensitivity / n_positives + (1 - rate) ** 2 * of_specificity / n_negatives
    reach = z * math.sqrt(variance) / youden
    low, high = _cut(middle - reach), _cut(middle + reach)
    if low == high:  # the data contradict the model: the interval starts from the edge, as wide as it would be there
        edge = rogan_gladen_reach(low, apparent, sensitivity, specificity, n_apparent, n_positives, n_negatives, z)
        low, high = _cut(low - edge), _cut(high + edge)
    return Interval(estimate, low, high)


def rogan_gladen_reach(
    rate: float, apparent: float, sensitivity: float, specificity: float, *sizes_and_z: float
) -> float:
    """Half the width of the interval at a true rate; `sizes_and_z`: pairs, annotated cases and others, and z."""
    n, positives, negatives, z = sizes_and_z
    variance = apparent * (1 - apparent) / n
    variance += rate**2 * sensitivity * (1 - sensitivity) / positives
    variance += (1 - rate) ** 2 * specificity * (1 - specificity) / negatives
    return z * math.sqrt(variance) / (sensitivity + specificity - 1)


class Judge(NamedTuple):
    """What annotated pairs say of the judge: it flags `hits` of `positives` cases, passes `passes` of `negatives`."""

    hits: int
    positives: int
    passes: int
    negatives: int


def screened_share_rate(
    flagged: int, screened: int, n: int, judge: Judge, confidence: float = 0.95, *, overlap: bool = True
) -> Interval:
    """Drift among screened pairs as a share of all n, corrected for the judge's errors: Rogan-Gladen x share screened.

    Both the rate and how many pairs the screen lets through vary from one set of items to the next (MOVER).

    Raises:
        DataError: impossible counts, or an empty sample.
    """
    if not 0 < screened <= n:
        raise DataError(f"drift rate: {screened} of {n} pairs screened; needs at least one, and no more than all.")
    inside = rogan_gladen(flagged, screened, *judge, confidence, overlap=overlap)
    if inside.estimate is None:
        return Interval(None, 0.0, screened / n)
    share = np.array([screened / n])
    between = float(share[0] * (1 - share[0])) * inside.estimate**2 / n
    return _mover(share, [inside], between, confidence)


def rate_difference(
    table: Counts, judge: Judge, confidence: float = 0.95, resamples: int = 4000, seed: int = 0
) -> Interval:
    """Other - base of two audits of the same items, in true drift among screened pairs as a share of all.

    `table`: items by state in the first and in the second audit, 3 x 3; states are not screened, screened and passed,
    screened and confirmed. The judge is taken to err alike in both. Items are resampled together, so that what the
    audits share cancels, and the judge's two rates are drawn from their Jeffreys posteriors. If it tells nothing
    (sensitivity + specificity <= 1) there is no estimate.

    Raises:
        DataError: a table of another shape, or an empty one.
    """
    if table.shape != (3, 3) or table.sum() <= 0:
        raise DataError(f"drift rate: needs a 3 x 3 table of items by state, got shape {table.shape}.")
    n = int(table.sum())
    hits, positives, passes, negatives = judge
    if not positives or not negatives or hits / positives + passes / negatives <= 1:
        return Interval(None, None, None)

    def difference(counts: Floats, sensitivity: Any, specificity: Any) -> Floats:
        rates = []
        for axis in (-1, -2):
            states = counts.sum(axis=axis)  # the other audit is summed out
            screened, flagged = states[..., 1] + states[..., 2], states[..., 2]
            rates.append((flagged - (1 - specificity) * screened) / (sensitivity + specificity - 1))
        return np.asarray((rates[1] - rates[0]) / n, dtype=np.float64)

    rng = np.random.default_rng(seed)
    prior = np.full(9, 1 / 9)  # one item in all, spread evenly: cells that are empty by chance may be filled
    cells = (table.ravel() + prior) / (n + 1)
    drawn = rng.multinomial(n, cells, size=resamples).reshape(-1, 3, 3)
    sensitivity = rng.beta(hits + 0.5, positives - hits + 0.5, resamples)
    specificity = rng.beta(passes + 0.5, negatives - passes + 0.5, resamples)
    useful = sensitivity + specificity > 1.02
    resampled = difference(drawn.astype(np.float64), sensitivity, specificity)[useful]
    observed = difference(table.astype(np.float64), hits / positives, passes / negatives)
    return percentile_interval(float(observed), np.clip(resampled, -1, 1), confidence)


def prediction_powered_rate(
    strata: LabelledStratum | Sequence[LabelledStratum], confidence: float = 0.95, tuned: bool = True
) -> Interval:
    """Rate from few labels and many predictions, right whatever the judge is worth if the labels are right.

    Per stratum: mean(labels) + lambda (mean(rest) - mean(predicted)); lambda = 1 is the estimator of 2023, `tuned`
    takes the variance-minimising one in [0, 1], so that a useless judge costs nothing. Strata are weighted by all
    their pairs. Cut at 0 and 1.

    Raises:
        DataError: a stratum with fewer than two annotated pairs, or labels and predictions of different length.
    """
    several = [strata] if isinstance(strata, LabelledStratum) else list(strata)
    if not several:
        raise DataError("prediction-powered rate: there are no pairs.")
    parts = [_prediction_powered(stratum, index, confidence, tuned) for index, stratum in enumerate(several)]
    return _joined([stratum.size for stratum in several], parts, confidence, finite=False)


def _prediction_powered(stratum: LabelledStratum, index: int, confidence: float, tuned: bool) -> Interval:
    labels, predicted, rest = (finite(values, "prediction-powered rate") for values in stratum[:3])
    if labels.shape != predicted.shape or labels.size < 2:
        raise DataError(
            f"prediction-powered rate: stratum {index} has {labels.size} labels and {predicted.size} predictions for "
            "them; needs two or more of both, equally many. Annotate more pairs, or join strata."
        )
    power = _tuning(labels, predicted, rest) if tuned else float(rest.size > 0)
    rate = float(labels.mean())
    variance = _smoothed_variance(labels, predicted, power)
    if power:
        rate += power * float(rest.mean() - predicted.mean())
        variance += power**2 * float(rest.var()) / rest.size
    return _wilson(rate, variance, labels.size, confidence)


def _smoothed_variance(labels: Floats, predicted: Floats, power: float) -> float:
    """Variance of mean(labels - power x predicted), with a quarter of a pair added for each (label, prediction).

    A good judge errs so rarely that a sample may show no error at all; its variance is not 0 for that. A quarter in
    each of the four cells is Perks's prior: one pair in all.
    """
    errors = np.concatenate([labels - power * predicted, [0.0, -power, 1.0, 1.0 - power]])
    weights = np.concatenate([np.ones(labels.size), np.full(4, 0.25)])
    middle = np.average(errors, weights=weights)
    return float(np.average((errors - middle) ** 2, weights=weights) / weights.sum())


def _tuning(labels: Floats, predicted: Floats, rest: Floats) -> float:
    """lambda* = cov(label, prediction) / ((1 + n / N) var(prediction)) (PPI++, Example 6.1), within [0, 1]."""
    spread = float(np.concatenate([predicted, rest]).var())
    if rest.size == 0 or spread == 0:
        return 0.0
    covariance = float(((labels - labels.mean()) * (predicted - predicted.mean())).mean())
    return min(1.0, max(0.0, covariance / ((1 + labels.size / rest.size) * spread)))


def _of_stratum(stratum: Stratum, confidence: float, finite: bool) -> Interval:
    rate = stratum.cases / stratum.sampled
    left = stratum.population - stratum.sampled
    if finite and left == 0:
        return Interval(rate, rate, rate)
    size = stratum.sampled * (stratum.population - 1) / left if finite else stratum.sampled
    return _wilson(rate, rate * (1 - rate) / size, size, confidence)


def _joined(sizes: Sequence[int], parts: Sequence[Interval], confidence: float, finite: bool) -> Interval:
    """Weighted sum of stratum rates; unless `finite`, it also varies how many pairs fall into which stratum."""
    weight = np.asarray(sizes, dtype=np.float64) / sum(sizes)
    rate = np.array([part.estimate for part in parts], dtype=np.float64)
    between = 0.0 if finite else float(weight @ (rate - weight @ rate) ** 2) / sum(sizes)
    return _mover(weight, parts, between, confidence)


def _mover(weight: Floats, parts: Sequence[Interval], between: float, confidence: float) -> Interval:
    """Weighted sum of independent rates with asymmetric intervals, and `between` of variance besides (MOVER)."""
    rate, low, high = np.array(parts, dtype=np.float64).T
    estimate = float(weight @ rate)
    extra = float(ndtri((1 + confidence) / 2)) ** 2 * max(between, 0.0)
    below = math.sqrt(float(((weight * (rate - low)) ** 2).sum()) + extra)
    above = math.sqrt(float(((weight * (high - rate)) ** 2).sum()) + extra)
    return Interval(_cut(estimate), _cut(estimate - below), _cut(estimate + above))


def _wilson(rate: float, variance: float, least: float, confidence: float) -> Interval:
    """Wilson's interval at the size whose binomial variance is `variance`; at `least` where there is no variance."""
    rate = _cut(rate)
    size = rate * (1 - rate) / variance if variance > 0 and 0 < rate < 1 else least
    low, high = proportion_confint(rate * size, size, alpha=1 - confidence, method="wilson")
    return Interval(rate, float(low), float(high))


def _cut(rate: float) -> float:
    return min(1.0, max(0.0, rate))
