"""Weighted statistics of annotated pairs: equal weights change nothing, and an integer weight is a replication."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dart.stats.agreement import auc_interval, kappa, weighted_kappa
from dart.stats.annotation import agreement, weighted_agreement
from dart.stats.calibration import best_f1, operating_point, roc

Pairs = list[tuple[int, bool, bool, int]]  # delta in hundredths, annotators' label, judge's verdict, weight
PAIRS = st.lists(
    st.tuples(st.integers(-5, 5), st.booleans(), st.booleans(), st.integers(1, 4)), min_size=6, max_size=30
)


def _columns(pairs: Pairs) -> tuple[list[float], list[bool], list[bool], list[float]]:
    assume(len({label for _, label, _, _ in pairs}) == 2)
    delta, label, verdict, weight = (list(column) for column in zip(*pairs, strict=True))
    return [value / 100 for value in delta], label, verdict, [float(value) for value in weight]


def _replicated(column: list[Any], weights: list[float]) -> list[Any]:
    return [value for value, weight in zip(column, weights, strict=True) for _ in range(int(weight))]


@given(PAIRS, st.floats(0.1, 50))
@settings(max_examples=20, deadline=None)
def test_equal_weights_change_nothing(pairs: Pairs, weight: float) -> None:
    delta, label, verdict, _ = _columns(pairs)
    equal = [weight] * len(pairs)
    assert auc_interval(delta, label, weights=equal) == pytest.approx(tuple(auc_interval(delta, label)), nan_ok=True)
    assert roc(delta, label, equal).auc == pytest.approx(roc(delta, label).auc)
    for tau in (0.0, 0.02):
        plain, weighted = operating_point(delta, label, tau), operating_point(delta, label, tau, equal)
        assert weighted == pytest.approx(tuple(plain))
    best, best_weighted = best_f1(delta, label), best_f1(delta, label, equal)
    assert best_weighted.f1 == pytest.approx(best.f1)
    assert weighted_kappa(verdict, label, equal) == pytest.approx(tuple(kappa(verdict, label)))
    weighted_table, table = weighted_agreement(verdict, label, equal), agreement(verdict, label)
    for name in ("n", "counts", "precision", "recall", "f1", "kappa", "kappa_ci"):
        assert weighted_table[name] == pytest.approx(table[name], abs=2e-4), name  # f1 from rounded rates


@given(PAIRS)
@settings(max_examples=20, deadline=None)
def test_an_integer_weight_is_a_replication(pairs: Pairs) -> None:
    delta, label, verdict, weights = _columns(pairs)
    deltas, labels, verdicts = (_replicated(column, weights) for column in (delta, label, verdict))
    assert auc_interval(delta, label, weights=weights).estimate == pytest.approx(auc_interval(deltas, labels).estimate)
    assert roc(delta, label, weights).auc == pytest.approx(roc(deltas, labels).auc)
    for tau in (0.0, 0.02):
        weighted, replicated = operating_point(delta, label, tau, weights), operating_point(deltas, labels, tau)
        for name in ("precision", "recall", "f1", "false_positive_rate"):
            assert getattr(weighted, name) == pytest.approx(getattr(replicated, name)), name
    assert best_f1(delta, label, weights).f1 == pytest.approx(best_f1(deltas, labels).f1)
    assert weighted_kappa(verdict, label, weights).estimate == pytest.approx(kappa(verdicts, labels).estimate)
    weighted_table, table = weighted_agreement(verdict, label, weights), agreement(verdicts, labels)
    for name in ("precision", "recall", "f1", "kappa"):
        assert weighted_table[name] == pytest.approx(table[name], abs=2e-4), name


def test_weights_count() -> None:
    """The replication test would pass if weights were ignored on both sides; here they decide."""
    delta, label = [0.1, 0.2, 0.3, 0.4], [False, True, False, True]
    assert auc_interval(delta, label, weights=[1, 1, 9, 1]).estimate == pytest.approx(0.55)
    assert np.isclose(
        weighted_kappa([True, True, False, False], [True, False, False, True], [9, 1, 9, 1]).estimate, 0.8
    )
