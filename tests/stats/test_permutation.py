"""The sign-flip test against scipy, its floor, and its seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from dart.core.errors import DataError
from dart.stats.bootstrap import relative_median_change
from dart.stats.permutation import sign_flip


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
@pytest.mark.parametrize("seed", range(4))
def test_exact_enumeration_agrees_with_scipy(seed: int, alternative: str) -> None:
    rng = np.random.default_rng(seed)
    base, other = np.round(rng.normal(size=(2, 10)), 1)  # with ties
    expected = scipy_stats.permutation_test(
        (other, base),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
        alternative=alternative,
    )
    found = sign_flip(base.tolist(), other.tolist(), 1024, 1, alternative=alternative)  # type: ignore[arg-type]
    assert found.exact
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-10)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-10)


def test_accuracy_is_the_exact_mcnemar_test() -> None:
    """On right/wrong the permutation distribution is McNemar's binomial."""
    base, other = [1.0] * 3 + [0.0] * 9 + [1.0] * 20, [0.0] * 3 + [1.0] * 9 + [1.0] * 20
    found = sign_flip(base, other, 5000, 1)
    assert found.exact
    assert found.resamples == 2**12
    assert found.p == pytest.approx(scipy_stats.binomtest(3, 12).pvalue, rel=1e-10)


def test_p_never_falls_below_its_floor() -> None:
    """The paper prints p < 1e-12 from 10,000 resamples; the least possible value is 1/10,001."""
    base = np.linspace(1, 2, 200)
    found = sign_flip(base.tolist(), (base * 1.071).tolist(), 10_000, 1, relative_median_change)
    assert not found.exact
    assert found.p == 1 / 10_001


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30), st.integers(1, 60))
def test_p_is_a_probability_with_a_floor(pairs: list[tuple[int, int]], resamples: int) -> None:
    base, other = ([float(pair[side]) for pair in pairs] for side in (0, 1))
    found = sign_flip(base, other, resamples, 1)
    assert 1 / (found.resamples + 1) <= found.p <= 1
    swapped = sign_flip(other, base, resamples, 1)
    assert swapped.statistic == -found.statistic
    assert swapped.p == found.p


def test_all_ties_and_undefined() -> None:
    assert sign_flip([1.0, 2.0], [1.0, 2.0], 100, 1) == (0.0, 1.0, 1, True)
    with pytest.raises(DataError, match="2 and 1"):
        sign_flip([1.0, 2.0], [1.0], 100, 1)
    with pytest.raises(DataError, match="not defined"):
        sign_flip([0.0, 0.0], [1.0, 2.0], 100, 1, relative_median_change)


def test_seed_and_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    base, other = rng.normal(size=50).tolist(), rng.normal(0.2, 1, size=50).tolist()
    first, again, differently = (sign_flip(base, other, 999, seed).p for seed in (1, 1, 2))
    assert first == again != differently
    expected = scipy_stats.ttest_rel(base, other).pvalue
    assert first == pytest.approx(expected, abs=0.05)
    monkeypatch.setattr("dart.stats.permutation._CHUNK_VALUES", 500)
    assert sign_flip(base, other, 999, 1).p == pytest.approx(expected, abs=0.05)
