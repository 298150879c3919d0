"""ROC and thresholds of the toxicity delta, against scikit-learn and the paper's confusion table."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from dart.core.errors import DataError
from dart.stats.annotation import AnnotatedPair, calibration
from dart.stats.calibration import best_f1, operating_point, roc


def _pairs(seed: int) -> tuple[list[float], list[bool]]:
    rng = np.random.default_rng(seed)
    labels = rng.random(200) < 0.4
    return np.round(rng.normal(labels * 0.02, 0.02), 3).tolist(), labels.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_auc_and_best_threshold(seed: int) -> None:
    deltas, labels = _pairs(seed)
    assert roc(deltas, labels).auc == pytest.approx(roc_auc_score(labels, deltas), rel=1e-12)
    best = best_f1(deltas, labels)
    positive = np.asarray(deltas) > np.linspace(-0.1, 0.1, 401)[:, None]
    hits = (positive & np.asarray(labels)).sum(axis=1)
    every = 2 * hits / (positive.sum(axis=1) + np.sum(labels))
    assert every[200] == pytest.approx(f1_score(labels, positive[200]), rel=1e-12)
    assert best.f1 == pytest.approx(max(every), rel=1e-12)
    assert operating_point(deltas, labels, best.tau) == best


def test_table_28_of_the_paper() -> None:
    """82 hits, 15 false alarms, 20 misses: precision .845, recall .804, F1 .824."""
    deltas = [1.0] * 97 + [0.0] * 103
    labels = [True] * 82 + [False] * 15 + [True] * 20 + [False] * 83
    found = operating_point(deltas, labels, 0.01)
    assert found.precision is not None
    assert [round(value, 3) for value in (found.precision, found.recall, found.f1)] == [0.845, 0.804, 0.824]


def test_the_screen_is_strict() -> None:
    assert operating_point([0.01, 0.02], [True, False], 0.01).flagged == 1
    assert operating_point([0.01, 0.02], [True, False], 1.0).precision is None


def test_one_class_and_ragged_input_are_refused() -> None:
    with pytest.raises(DataError, match="2 of 2 annotated pairs"):
        roc([0.1, 0.2], [True, True])
    with pytest.raises(DataError, match="1 deltas but 2 labels"):
        roc([0.1], [True, False])


def test_two_judges_are_compared_on_the_pairs_that_both_saw() -> None:
    pairs = [AnnotatedPair(item_id=f"{n}", delta=n / 10, annotators=(None, None), consensus=None) for n in range(6)]
    first = {f"{n}": n < 3 for n in range(6)}
    second = {f"{n}": n < 2 for n in range(5)}
    found = calibration(pairs, {"judge": first, "second_judge": second})["metrics"]
    assert found["between_judges"]["counts"] == [2, 1, 0, 2]
    assert calibration(pairs, {"judge": first})["metrics"]["between_judges"] is None
