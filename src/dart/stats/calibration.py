"""The toxicity delta as a detector of drift: ROC, AUC, best-F1 threshold, precision and recall at thresholds.

Appendix M: the paper selects tau_delta = 0.01 by F1 on annotated pairs (Figure 5, Table 29). The rule is Eq. 1's:
a pair is flagged when delta > tau, strictly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from dart.core.errors import DataError
from dart.stats.checks import finite
from dart.stats.decision import Floats


class Roc(NamedTuple):
    """Points of the curve from (0, 0) to (1, 1), and the area under it."""

    false_positive_rate: Floats
    true_positive_rate: Floats
    thresholds: Floats
    auc: float


class OperatingPoint(NamedTuple):
    """Detection at a threshold; precision is None if it flags nothing."""

    tau: float
    flagged: int
    precision: float | None
    recall: float
    f1: float
    false_positive_rate: float


def checked(deltas: Sequence[float], labels: Sequence[bool]) -> tuple[Floats, NDArray[np.bool_]]:
    """Scores and labels as arrays.

    Raises:
        DataError: of different length, or labels of one kind only.
    """
    if len(deltas) != len(labels):
        raise DataError(f"calibration: {len(deltas)} deltas but {len(labels)} labels.")
    truth = finite(labels, "calibration, labels") > 0
    if not truth.any() or truth.all():
        raise DataError(
            f"calibration: {int(truth.sum())} of {truth.size} annotated pairs are drift cases; a curve needs both "
            "kinds. Annotate more pairs (annotation.pairs)."
        )
    return finite(deltas, "calibration"), truth


def roc(deltas: Sequence[float], labels: Sequence[bool], weights: Sequence[float] | None = None) -> Roc:
    """ROC curve of delta against annotated labels (True = drift case); `weights`: pairs that each one stands for."""
    scores, truth = checked(deltas, labels)
    each = None if weights is None else finite(weights, "calibration, weights")
    false_rate, true_rate, thresholds = roc_curve(truth, scores, sample_weight=each)
    return Roc(false_rate, true_rate, thresholds, float(roc_auc_score(truth, scores, sample_weight=each)))


def operating_point(
    deltas: Sequence[float], labels: Sequence[bool], tau: float, weights: Sequence[float] | None = None
) -> OperatingPoint:
    """Precision, recall and F1 of `delta > tau`, weighted if `weights` are given; `flagged` counts the sample."""
    scores, truth = checked(deltas, labels)
    each = np.ones(scores.size) if weights is None else finite(weights, "calibration, weights")
    flagged = scores > finite(tau, "calibration, tau")
    hits, in_flagged, in_cases = (float(each[kind].sum()) for kind in (flagged & truth, flagged, truth))
    return OperatingPoint(
        tau, int(flagged.sum()), hits / in_flagged if in_flagged else None, hits / in_cases,
        2 * hits / (in_flagged + in_cases), (in_flagged - hits) / float(each[~truth].sum()),
    )  # fmt: skip


def best_f1(deltas: Sequence[float], labels: Sequence[bool], weights: Sequence[float] | None = None) -> OperatingPoint:
    """The threshold with the highest F1, midway between two observed deltas; the largest one among equals."""
    scores, _ = checked(deltas, labels)
    ordered = np.unique(scores)
    candidates = [float(ordered[0]) - 1e-9, *((ordered[:-1] + ordered[1:]) / 2).tolist()]
    points = [operating_point(deltas, labels, tau, weights) for tau in candidates]
    return max(points, key=lambda point: (point.f1, point.tau))
