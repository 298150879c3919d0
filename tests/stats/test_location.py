"""Hodges-Lehmann shifts against R's published output, against counting, and with bounded memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from dart.core.errors import DataError
from dart.stats.location import _mann_whitney_counts, _signed_rank_counts, paired_shift, shift

# R, help(wilcox.test): Hollander & Wolfe, depression scale before (x) and after (y); permeability (a, b)
X = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
Y = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
A = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
B = [1.15, 0.88, 0.90, 0.74, 1.21]


def test_depression_data_of_r_s_help() -> None:
    """wilcox.test(x, y, paired = TRUE, alternative = "greater"): V = 40, p = 0.01953; conf.int: 0.46 [0.010, 0.786]."""
    result = scipy_stats.wilcoxon(X, Y, alternative="greater")
    assert result.statistic == 40
    assert round(result.pvalue, 5) == 0.01953
    found = paired_shift(Y, X)
    assert [round(value, 3) for value in found if value is not None] == [0.46, 0.010, 0.786]


def test_permeability_data_of_r_s_help() -> None:
    """wilcox.test(a, b, alternative = "g"): W = 35, p = 0.1272; Hollander & Wolfe's estimate is 0.305."""
    result = scipy_stats.mannwhitneyu(A, B, alternative="greater", method="exact")
    assert result.statistic == 35
    assert round(result.pvalue, 4) == 0.1272
    assert shift(B, A).estimate == pytest.approx(0.305)


@pytest.mark.parametrize("n", [6, 9, 20, 30])
def test_the_interval_inverts_wilcoxon_s_test(n: int) -> None:
    """A shift inside the interval is not rejected at 5 %, one outside is."""
    difference = np.random.default_rng(n).normal(0.3, 1, size=n)
    found = paired_shift([0.0] * n, difference.tolist())
    for inside, value in [(True, found.low + 1e-9), (True, found.high - 1e-9), (False, found.low - 1e-9)]:
        p = scipy_stats.wilcoxon(difference - value, method="exact").pvalue
        assert bool(p > 0.05) is inside


@pytest.mark.parametrize(("n", "m"), [(5, 6), (12, 8), (20, 30)])
def test_the_interval_inverts_mann_whitney_s_test(n: int, m: int) -> None:
    rng = np.random.default_rng(n)
    base, other = rng.normal(size=n), rng.normal(0.5, 1, size=m)
    found = shift(base.tolist(), other.tolist())
    for inside, value in [(True, found.low + 1e-9), (True, found.high - 1e-9), (False, found.high + 1e-9)]:
        p = scipy_stats.mannwhitneyu(other - value, base, method="exact").pvalue
        assert bool(p > 0.05) is inside


def test_null_distributions() -> None:
    assert _signed_rank_counts(4).tolist() == [1, 1, 1, 2, 2, 2, 2, 2, 1, 1, 1]
    assert _mann_whitney_counts(2, 3).tolist() == [1, 1, 2, 2, 2, 1, 1]
    large = _mann_whitney_counts(49, 49)
    assert large.min() == 1
    np.testing.assert_array_equal(large, large[::-1])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-20, 20), min_size=1, max_size=60), st.integers(-20, 20))
def test_shift_moves_with_the_data(values: list[int], by: int) -> None:
    difference = [value / 4 for value in values]
    found = paired_shift([0.0] * len(values), difference)
    assert found.low <= found.estimate <= found.high
    moved = paired_shift([0.0] * len(values), [value + by for value in difference])
    assert moved == pytest.approx([bound + by for bound in found])
    negated = paired_shift(difference, [0.0] * len(values))
    assert negated == pytest.approx((-found.estimate, -found.high, -found.low))


@pytest.mark.parametrize("seed", range(3))
def test_bisection_finds_the_same_values_without_holding_them(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    base, other = np.round(rng.lognormal(-10, 1, size=(2, 80)), 6).tolist()  # H is of this size, with ties
    paired, unpaired = paired_shift(base, other), shift(base, other)
    monkeypatch.setattr("dart.stats.location._ENUMERATED", 10)
    assert paired_shift(base, other) == pytest.approx(paired, rel=1e-10)
    assert shift(base, other) == pytest.approx(unpaired, rel=1e-10)


def test_large_samples_use_the_normal_rank() -> None:
    rng = np.random.default_rng(3)
    base = rng.normal(size=1624)
    other = base + rng.normal(0.1, 0.5, size=1624)
    found = paired_shift(base.tolist(), other.tolist())
    assert found.low < 0.1 < found.high
    p_low = scipy_stats.wilcoxon(other - base - found.low).pvalue
    assert p_low == pytest.approx(0.05, abs=0.002)


def test_edges() -> None:
    assert paired_shift([1.0], [3.0]) == (2.0, 2.0, 2.0)
    assert paired_shift([1.0, 1.0], [1.0, 1.0]) == (0.0, 0.0, 0.0)
    assert shift([1.0], [3.0]) == (2.0, 2.0, 2.0)
    with pytest.raises(DataError, match="2 and 1"):
        paired_shift([1.0, 2.0], [1.0])
    with pytest.raises(DataError, match="0 and 1"):
        shift([], [1.0])
