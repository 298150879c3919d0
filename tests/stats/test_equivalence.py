"""TOST against statsmodels and against the restricted likelihood maximised numerically."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from scipy.optimize import minimize_scalar
from statsmodels.stats.weightstats import ttost_paired

from dart.core.errors import DataError
from dart.stats.equivalence import _tango, equivalent_accuracy, equivalent_mean, tango_interval, within
from dart.stats.intervals import Interval
from dart.stats.paired import mcnemar


@pytest.mark.parametrize(("b", "c", "n"), [(30, 10, 200), (5, 9, 60), (86, 150, 1600)])
@pytest.mark.parametrize("difference", [-0.08, -0.01, 0.03, 0.1])
def test_tango_s_statistic_uses_the_restricted_maximum_likelihood(b: int, c: int, n: int, difference: float) -> None:
    def minus_log_likelihood(rate: float) -> float:
        probabilities = np.array([rate, rate + difference, 1 - 2 * rate - difference])
        return -float(np.array([b, c, n - b - c]) @ np.log(np.maximum(probabilities, 1e-300)))

    bounds = (max(0.0, -difference) + 1e-12, (1 - difference) / 2 - 1e-12)
    rate = minimize_scalar(minus_log_likelihood, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    expected = (c - b - n * difference) / np.sqrt(n * (2 * rate + difference - difference**2))
    assert _tango(b, c, n, difference) == pytest.approx(expected, rel=1e-6)


def test_at_no_difference_tango_is_mcnemar() -> None:
    assert 2 * scipy_stats.norm.sf(_tango(86, 150, 1600, 0.0)) == pytest.approx(mcnemar(86, 150).p_chi2, rel=1e-10)


def test_score_interval_of_agresti_s_approval_ratings() -> None:
    """794 / 150 / 86 / 570: approval fell by 0.04; Agresti's Wald interval is (-0.059, -0.021)."""
    found = tango_interval(150, 86, 1600)
    assert [round(value, 3) for value in found if value is not None] == [-0.04, -0.059, -0.021]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 200), st.sampled_from([0.5, 0.9, 0.95]))
def test_score_interval_is_the_set_of_differences_not_rejected(b: int, c: int, same: int, confidence: float) -> None:
    n = b + c + same
    if n == 0:
        return
    found = tango_interval(b, c, n, confidence)
    assert -1 <= found.low <= found.estimate <= found.high <= 1
    z = scipy_stats.norm.isf((1 - confidence) / 2)
    if found.low > -1:
        assert _tango(b, c, n, found.low) == pytest.approx(z, rel=1e-6)
    if found.high < 1:
        assert _tango(b, c, n, found.high) == pytest.approx(-z, rel=1e-6)
    mirrored = tango_interval(c, b, n, confidence)
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 300), st.sampled_from([0.01, 0.02, 0.05, 0.1]))
def test_both_ways_of_saying_equivalent_agree(b: int, c: int, same: int, margin: float) -> None:
    found = equivalent_accuracy(b, c, b + c + same, margin)
    assert found.equivalent == within(found.interval, margin)
    assert found.equivalent == (found.p < 0.05)


def test_nothing_discordant_is_not_proof_in_a_small_sample() -> None:
    assert not equivalent_accuracy(0, 0, 10, 0.02).equivalent
    assert equivalent_accuracy(0, 0, 1624, 0.02).equivalent
    assert not equivalent_accuracy(0, 0, 1, 0.02).equivalent


@pytest.mark.parametrize("seed", range(4))
def test_mean_agrees_with_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.normal(size=80)
    other = base + rng.normal(0.02, 0.3, size=80)
    found = equivalent_mean(base.tolist(), other.tolist(), 0.1)
    expected = ttost_paired(other, base, -0.1, 0.1)
    assert found.p == pytest.approx(expected[0], rel=1e-10)
    t = scipy_stats.ttest_rel(other, base).confidence_interval(0.90)
    assert (found.interval.low, found.interval.high) == pytest.approx((t.low, t.high), rel=1e-10)
    assert found.equivalent == within(found.interval, 0.1)


def test_degenerate_means() -> None:
    assert equivalent_mean([1.0], [1.0], 0.1) == (0.1, 1.0, False, Interval(0.0, None, None))
    assert equivalent_mean([1.0, 2.0], [1.0, 2.0], 0.1).equivalent
    assert not equivalent_mean([1.0, 2.0], [1.5, 2.5], 0.1).equivalent
    assert within(Interval(0.0, None, None), 0.1) is None
    assert within(Interval(0.0, -0.1, 0.05), 0.1) is False  # the margin itself is outside
    with pytest.raises(DataError, match="2 and 1 values"):
        equivalent_mean([1.0, 2.0], [1.0], 0.1)
    with pytest.raises(DataError, match="margin=0"):
        equivalent_accuracy(1, 1, 10, 0)
    with pytest.raises(DataError, match="b=6, c=5, n=10"):
        equivalent_accuracy(6, 5, 10, 0.1)


def test_json() -> None:
    found = equivalent_accuracy(10, 12, 1624, 0.02).json()
    assert set(found) == {"margin", "p", "equivalent", "estimate", "ci"}
    assert found["estimate"] == round(2 / 1624, 6)
