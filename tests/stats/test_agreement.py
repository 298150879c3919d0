"""Agreement against scikit-learn, statsmodels, R's published kappas and the paper's Table 28."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score, precision_score, recall_score, roc_auc_score
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.proportion import proportion_confint

from dart.core.errors import DataError
from dart.stats import annotation
from dart.stats.agreement import auc_interval, detection, detection_of_counts, kappa, kappa_of_table


@pytest.mark.parametrize("seed", range(6))
def test_agrees_with_scikit_learn_and_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random(80) < 0.4
    said = np.where(rng.random(80) < 0.8, truth, ~truth)
    found = detection(said.tolist(), truth.tolist())
    assert found.precision.estimate == pytest.approx(precision_score(truth, said), rel=1e-10)
    assert found.recall.estimate == pytest.approx(recall_score(truth, said), rel=1e-10)
    assert found.specificity.estimate == pytest.approx(recall_score(~truth, ~said), rel=1e-10)
    assert found.f1 == pytest.approx(f1_score(truth, said), rel=1e-10)
    assert found.kappa.estimate == pytest.approx(cohen_kappa_score(truth, said), rel=1e-10)
    expected = cohens_kappa([[found.tp, found.fp], [found.fn, found.tn]])
    chance = 1 - (1 - np.mean(said == truth)) / (1 - expected.kappa)
    agreed, error = np.mean(said == truth), expected.std_kappa * (1 - chance)
    size = agreed * (1 - agreed) / error**2  # Wilson's interval of the agreement at the size that the error is worth
    bounds = proportion_confint(agreed * size, size, method="wilson")
    assert (found.kappa.low, found.kappa.high) == pytest.approx([(b - chance) / (1 - chance) for b in bounds], rel=1e-9)
    assert found.kappa == pytest.approx(kappa(said.tolist(), truth.tolist()), rel=1e-10)


def test_table_28_of_the_paper() -> None:
    """82 hits, 15 false alarms, 20 misses, 83 rightly passed."""
    found = detection_of_counts(82, 15, 20, 83)
    assert found.f1 is not None
    rounded = [round(value, 3) for value in (found.precision.estimate, found.recall.estimate, found.f1)]  # type: ignore[arg-type]
    assert rounded == [0.845, 0.804, 0.824]
    assert found.kappa.json(3) == {"estimate": 0.65, "ci": [0.533, 0.743]}


def test_published_kappa_of_fleiss() -> None:
    """Fleiss, Cohen & Everitt 1969 (the example of psych::cohen.kappa in R): kappa .429, variance .002885, n = 200."""
    table = np.array([[0.53, 0.05, 0.02], [0.11, 0.14, 0.05], [0.01, 0.06, 0.03]]) * 200
    found = kappa_of_table(np.round(table).astype(int))
    assert found.estimate == pytest.approx(0.429, abs=5e-4)
    assert found.high is not None
    assert (found.high - found.low) / 2 / 1.959964 == pytest.approx(0.054, abs=1e-3)


def test_perfect_reversed_and_one_class() -> None:
    assert kappa(["a", "b"], ["a", "b"])[0] == pytest.approx(1.0)
    assert kappa(["a", "b"], ["b", "a"]).estimate == pytest.approx(-1.0)
    assert kappa(["a", "a"], ["a", "a"]) == (None, None, None)
    only = detection_of_counts(0, 0, 0, 7)
    assert (only.precision.estimate, only.recall.estimate, only.f1, only.kappa.estimate) == (None, None, None, None)
    assert only.specificity.estimate == 1.0
    assert only.json()["precision"] == {"estimate": None, "ci": None}
    with pytest.raises(DataError, match="2 and 1"):
        kappa(["a", "b"], ["a"])
    with pytest.raises(DataError, match="tp=0, fp=0, fn=0, tn=0"):
        detection_of_counts(0, 0, 0, 0)
    with pytest.raises(DataError, match="1 predictions but 0"):
        detection([True], [])


def test_calibration_json_has_intervals_beside_its_rates() -> None:
    found = annotation.agreement([True] * 97 + [False] * 103, [True] * 82 + [False] * 15 + [True] * 20 + [False] * 83)
    assert {name: found[name] for name in ("n", "precision", "recall", "f1", "kappa")} == {
        "n": 200, "precision": 0.8454, "recall": 0.8039, "f1": 0.8241, "kappa": 0.6502,
    }  # fmt: skip
    assert found["kappa_ci"] == [0.5331, 0.7428]
    assert annotation.agreement([], [])["kappa"] is None
    assert annotation.agreement([False], [False])["precision"] is None
    pairs = [
        annotation.AnnotatedPair(item_id=str(k), delta=k / 10, annotators=(label, label), consensus=label)
        for k, label in enumerate((None, None, "mild", None, "severe", "mild"))
    ]
    metrics = annotation.calibration(pairs, {})["metrics"]
    assert metrics["auc_ci"][0] < metrics["auc"] <= metrics["auc_ci"][1]


def _newcombe(area: float, m: int, n: int) -> tuple[float, float]:
    """All areas that lie within 1.96 of Hanley and McNeil's errors of the observed one, on a grid."""
    grid = np.linspace(0, 1, 200_001)
    q = ((m + n) / 2 - 1) * ((1 - grid) / (2 - grid) + grid / (1 + grid))
    inside = grid[np.abs(grid - area) <= 1.959964 * np.sqrt(grid * (1 - grid) * (1 + q) / (m * n))]
    return float(inside[0]), float(inside[-1])


@pytest.mark.parametrize("seed", range(3))
def test_auc_and_delong_by_their_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.random(60) < 0.4
    scores = np.round(rng.normal(labels * 0.8, 1), 1)  # with ties
    found = auc_interval(scores.tolist(), labels.tolist())
    assert found.estimate == pytest.approx(roc_auc_score(labels, scores), rel=1e-10)
    cases, controls = scores[labels], scores[~labels]
    wins = (cases[:, None] > controls) + 0.5 * (cases[:, None] == controls)  # the structural components
    variance = wins.mean(axis=1).var(ddof=1) / cases.size + wins.mean(axis=0).var(ddof=1) / controls.size
    size = found.estimate * (1 - found.estimate) / variance
    delong = proportion_confint(found.estimate * size, size, method="wilson")
    score = _newcombe(found.estimate, cases.size, controls.size)
    expected = (min(delong[0], score[0]), max(delong[1], score[1]))
    assert (found.low, found.high) == pytest.approx(expected, abs=2e-5)
    doubled = [score for score in scores.tolist() for _ in range(2)]
    weighted = auc_interval(scores.tolist(), labels.tolist(), weights=[2.0] * 60)
    assert weighted == pytest.approx(tuple(found), rel=1e-12), "equal weights change nothing"
    assert auc_interval(doubled, np.repeat(labels, 2).tolist()).estimate == pytest.approx(found.estimate, rel=1e-12)


def test_auc_of_too_few() -> None:
    assert auc_interval([0.1, 0.2, 0.3], [False, False, True]) == (1.0, None, None)
    assert auc_interval([0.1, 0.2, 0.3, 0.4], [False, False, True, True])[0] == pytest.approx(1.0)
    perfect = auc_interval([0.1] * 50 + [0.9] * 50, [False] * 50 + [True] * 50)
    assert perfect[::2] == pytest.approx((1.0, 1.0))
    assert perfect.low == pytest.approx(50 / (50 + 1.96**2), abs=1e-3), "a perfect ranking is not certain"
    agreement = kappa_of_table([[2, 0], [0, 2]])
    assert agreement.estimate == 1.0
    assert agreement.low < 0.2
    assert kappa_of_table([[1, 0], [1, 0]]).bounded
    with pytest.raises(DataError, match="0 of 2"):
        auc_interval([0.1, 0.2], [False, False])
