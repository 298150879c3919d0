"""TOST and Tango's score interval against the restricted likelihood maximised numerically and published values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from scipy.optimize import minimize_scalar

from dart.core.errors import DataError
from dart.stats.equivalence import equivalent_accuracy, tango_interval, tango_statistic
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
    assert tango_statistic(b, c, n, difference) == pytest.approx(expected, rel=1e-6)


def test_at_no_difference_tango_is_mcnemar() -> None:
    assert 2 * scipy_stats.norm.sf(tango_statistic(86, 150, 1600, 0.0)) == pytest.approx(
        mcnemar(86, 150).p_chi2, rel=1e-10
    )


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
        assert tango_statistic(b, c, n, found.low) == pytest.approx(z, rel=1e-6)
    if found.high < 1:
        assert tango_statistic(b, c, n, found.high) == pytest.approx(-z, rel=1e-6)
    mirrored = tango_interval(c, b, n, confidence)
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 300), st.sampled_from([0.01, 0.02, 0.05, 0.1]))
def test_both_ways_of_saying_equivalent_agree(b: int, c: int, same: int, margin: float) -> None:
    found = equivalent_accuracy(b, c, b + c + same, margin)
    assert found.equivalent == (-margin < found.interval.low and found.interval.high < margin)
    assert found.equivalent == (found.p < 0.05)


def test_nothing_discordant_is_not_proof_in_a_small_sample() -> None:
    assert not equivalent_accuracy(0, 0, 10, 0.02).equivalent
    assert equivalent_accuracy(0, 0, 1624, 0.02).equivalent
    assert not equivalent_accuracy(0, 0, 1, 0.02).equivalent


def test_impossible_values_are_refused() -> None:
    with pytest.raises(DataError, match="margin=0"):
        equivalent_accuracy(1, 1, 10, 0)
    with pytest.raises(DataError, match="b=6, c=5, n=10"):
        equivalent_accuracy(6, 5, 10, 0.1)


def test_json() -> None:
    found = equivalent_accuracy(10, 12, 1624, 0.02).json()
    assert set(found) == {"margin", "p", "equivalent", "estimate", "ci"}
    assert found["estimate"] == round(2 / 1624, 6)
