"""Agreement of a judge with annotators, with intervals: kappa, precision, recall, F1, AUC.

Appendix L and M (Tables 25-28, Figure 5). The paper prints kappa = 0.66 from 200 pairs (0.650 by its own Table 28)
without an interval; it is about +-0.1. Shares have Wilson's interval; kappa (error of Fleiss, Cohen & Everitt 1969)
and the AUC (DeLong 1988) have it too, at the size of sample that their variance is worth, so that perfect agreement is
not reported as certain.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtri
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.proportion import proportion_confint

from dart.core.errors import DataError
from dart.stats.calibration import checked
from dart.stats.checks import check_numbers, finite
from dart.stats.decision import Counts
from dart.stats.intervals import Interval

_UNDEFINED = Interval(None, None, None)
_EDGE = 1e-12


class Detection(NamedTuple):
    """Precision, recall and specificity with Wilson intervals, F1 without; None where the denominator is 0."""

    tp: int
    fp: int
    fn: int
    tn: int
    precision: Interval
    recall: Interval
    specificity: Interval
    f1: float | None
    kappa: Interval

    def json(self, digits: int = 4) -> dict[str, Any]:
        """Counts, and every rate as {"estimate", "ci"}."""
        intervals = ("precision", "recall", "specificity", "kappa")
        return {
            **{name: getattr(self, name) for name in ("tp", "fp", "fn", "tn")},
            **{name: getattr(self, name).json(digits) for name in intervals},
            "f1": None if self.f1 is None else round(self.f1, digits),
        }


def kappa_of_table(table: Sequence[Sequence[float]] | NDArray[Any], confidence: float = 0.95) -> Interval:
    """Cohen's kappa of a square table of counts (or of weights that sum to an effective number of pairs).

    The analytic error gives the size of a sample whose share of agreement would vary as much; Wilson's interval of that
    share, carried back to kappa, stays defined where the raters never differ. Undefined when both use one label only;
    without an interval for a single pair.
    """
    counts = finite(table, "kappa")
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.sum() <= 0 or (counts < 0).any():
        raise DataError(f"kappa: needs a square table of counts with at least one pair, got shape {counts.shape}.")
    rows, columns, n = counts.sum(axis=1), counts.sum(axis=0), float(counts.sum())
    if np.count_nonzero(rows + columns) < 2:
        return _UNDEFINED
    with np.errstate(invalid="ignore", divide="ignore"):  # its z-value divides by 0 where the raters never differ
        result = cohens_kappa(counts)
    estimate, by_chance = float(result.kappa), float((rows * columns).sum()) / n**2
    if n <= 1:
        return Interval(estimate, None, None)
    agreed = float(np.trace(counts)) / n
    variance = float(result.std_kappa) ** 2 * (1 - by_chance) ** 2
    low, high = wilson(agreed, variance, n, confidence)
    return Interval(estimate, *(max(-1.0, (bound - by_chance) / (1 - by_chance)) for bound in (low, high)))


def wilson(rate: float, variance: float, least: float, confidence: float) -> tuple[float, float]:
    """Wilson's interval at the size whose binomial variance is `variance`; at `least` where there is no variance."""
    size = rate * (1 - rate) / variance if variance > 1e-15 and 0 < rate < 1 else least
    low, high = proportion_confint(rate * size, size, alpha=1 - confidence, method="wilson")
    return float(low), float(high)


def kappa(first: Sequence[Hashable], second: Sequence[Hashable], confidence: float = 0.95) -> Interval:
    """Cohen's kappa of two lists of labels."""
    if len(first) != len(second) or not first:
        raise DataError(f"kappa: needs two equally long lists of labels, got {len(first)} and {len(second)}.")
    index = {label: number for number, label in enumerate(dict.fromkeys([*first, *second]))}
    table = np.zeros((len(index), len(index)), dtype=np.int64)
    np.add.at(table, ([index[label] for label in first], [index[label] for label in second]), 1)
    return kappa_of_table(table, confidence)


def weighted_kappa(
    first: Sequence[bool], second: Sequence[bool], weights: Sequence[float], confidence: float = 0.95
) -> Interval:
    """Cohen's kappa of two raters' flags, each pair counted `weights` times; the table has Kish's effective size."""
    each = finite(weights, "kappa, weights")
    each = each * (each.sum() / (each**2).sum())  # sums to the effective size
    table = np.zeros((2, 2))
    np.add.at(table, (1 - np.asarray(first, dtype=np.int64), 1 - np.asarray(second, dtype=np.int64)), each)
    return kappa_of_table(table, confidence)


def detection_of_counts(tp: int, fp: int, fn: int, tn: int, confidence: float = 0.95) -> Detection:
    """Agreement of a detector with the reference from the four counts (Table 28: 82, 15, 20, 83)."""
    if min(tp, fp, fn, tn) < 0 or tp + fp + fn + tn == 0:
        raise DataError(f"agreement: needs counts, at least one pair; got tp={tp}, fp={fp}, fn={fn}, tn={tn}.")
    denominator = 2 * tp + fp + fn
    return Detection(
        tp,
        fp,
        fn,
        tn,
        precision=share(tp, tp + fp, confidence),
        recall=share(tp, tp + fn, confidence),
        specificity=share(tn, tn + fp, confidence),
        f1=2 * tp / denominator if denominator else None,
        kappa=kappa_of_table([[tp, fp], [fn, tn]], confidence),
    )


def detection(predicted: Sequence[bool], reference: Sequence[bool], confidence: float = 0.95) -> Detection:
    """`detection_of_counts` of two lists: `predicted` by the detector, `reference` labels."""
    if len(predicted) != len(reference):
        raise DataError(f"agreement: {len(predicted)} predictions but {len(reference)} reference labels.")
    pairs = list(zip(map(bool, predicted), map(bool, reference), strict=True))
    tp, fp, fn, tn = (pairs.count(cell) for cell in ((True, True), (True, False), (False, True), (False, False)))
    return detection_of_counts(tp, fp, fn, tn, confidence)


def auc_interval(
    scores: Sequence[float], labels: Sequence[bool], confidence: float = 0.95, weights: Sequence[float] | None = None
) -> Interval:
    """Area under the ROC curve with the wider bounds of DeLong's variance (in Wilson's form) and of Newcombe's score.

    DeLong's variance is what the sample shows: nearly none where few cases happen to be ranked well, so that alone it
    covers 49 to 94 % at up to a fifth of cases. Newcombe's is what the area itself implies for groups of these sizes.
    Coverage of both together: benchmarks/agreement_coverage.py.

    Args:
        weights: how many pairs each one stands for; groups then have their effective sizes (Kish). Without an interval
            where a group has a single member.
    """
    values, truth = checked(scores, labels)
    each = np.ones(values.size) if weights is None else finite(weights, "AUC, weights")
    groups = [(values[kind], each[kind] / each[kind].sum()) for kind in (truth, ~truth)]
    (cases, of_cases), (controls, of_controls) = groups
    above = (cases[:, None] > controls) + 0.5 * (cases[:, None] == controls)  # one row for each case
    auc = min(1.0, float(of_cases @ above @ of_controls))
    if min(cases.size, controls.size) < 2:
        return Interval(auc, None, None)
    parts = ((above @ of_controls, of_cases), (of_cases @ above, of_controls))
    variance = sum(float(weight**2 @ (part - auc) ** 2) * part.size / (part.size - 1) for part, weight in parts)
    sizes = [1 / float((weight**2).sum()) for _, weight in groups]
    delong, score = wilson(auc, variance, min(sizes), confidence), _newcombe(auc, sizes, confidence)
    return Interval(auc, min(delong[0], score[0]), max(delong[1], score[1]))


def _newcombe(auc: float, sizes: Sequence[float], confidence: float) -> tuple[float, float]:
    """Score interval of an area (Newcombe 2006, method 5): Hanley and McNeil's variance at each bound, not at the area.

    Its exponential model needs the sizes of both groups alone, and it is never empty at an area of 0 or 1.
    """
    z = float(ndtri((1 + confidence) / 2))
    larger = max(0.0, sum(sizes) / 2 - 1)

    def distance(area: float) -> float:
        spread = 1 + larger * ((1 - area) / (2 - area) + area / (1 + area))
        return (auc - area) ** 2 - z * z * area * (1 - area) * spread / (sizes[0] * sizes[1])

    inside = (_EDGE, 1 - _EDGE)  # at an area of 0 or 1 one bound is the area itself, the other a root inside
    low = 0.0 if auc == 0 else brentq(distance, 0.0, min(auc, inside[1]))
    high = 1.0 if auc == 1 else brentq(distance, max(auc, inside[0]), 1.0)
    return float(low), float(high)


def share(part: int, whole: int, confidence: float = 0.95) -> Interval:
    """part / whole with Wilson's interval; undefined for whole = 0, without an interval for whole = 1.

    Raises:
        DataError: a part that is negative or larger than the whole, or NaN.
    """
    check_numbers("share", (part, whole))
    if not 0 <= part <= whole:
        raise DataError(f"share: needs 0 <= part <= whole, got {part} of {whole}.")
    if whole == 0:
        return _UNDEFINED
    if whole == 1:
        return Interval(float(part), None, None)
    low, high = proportion_confint(part, whole, alpha=1 - confidence, method="wilson")
    return Interval(part / whole, float(low), float(high))


def share_intervals(table: Counts, confidence: float = 0.95) -> dict[str, Interval]:
    """Wilson's interval of every rate of a (gold, prediction) table of shape (2, 3) that is a share of its answers."""
    parsed = table[:, :2]
    right = int(table[0, 0] + table[1, 1])
    parts = {
        "accuracy": (right, int(table.sum())),
        "accuracy_parsed": (right, int(parsed.sum())),
        "diff_accuracy": (int(table[0, 0]), int(table[0].sum())),
        "equal_accuracy": (int(table[1, 1]), int(table[1].sum())),
        "parse_rate": (int(parsed.sum()), int(table.sum())),
        "yes_rate": (int(parsed[:, 0].sum()), int(parsed.sum())),
    }
    return {name: share(part, whole, confidence) for name, (part, whole) in parts.items()}
