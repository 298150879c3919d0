"""Tests and effect sizes against statsmodels, scipy, R's published examples and the paper's arithmetic."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from dart.core.errors import DataError
from dart.stats.equivalence import tango_interval
from dart.stats.paired import (
    accuracy_difference,
    adjusted,
    cohens_g,
    discordant,
    mann_whitney,
    mcnemar,
    paired_shares,
    stars,
    wilcoxon,
)


@pytest.mark.parametrize(("b", "c"), [(0, 1), (1, 0), (5, 5), (12, 3), (86, 150), (7, 492)])
def test_mcnemar_agrees_with_statsmodels_and_scipy(b: int, c: int) -> None:
    found = mcnemar(b, c)
    assert found.p_exact == pytest.approx(min(1.0, scipy_stats.binomtest(b, b + c).pvalue), rel=1e-10)
    assert found.p_chi2 == pytest.approx(scipy_stats.chi2.sf((b - c) ** 2 / (b + c), 1), rel=1e-10)
    corrected = statsmodels_mcnemar([[9, b], [c, 9]], exact=False, correction=True).pvalue
    assert found.p_chi2_corrected == pytest.approx(corrected, rel=1e-10)


def test_mcnemar_on_agresti_s_approval_ratings() -> None:
    """Categorical Data Analysis: 150 and 86 changed their mind, z = -4.17; with continuity 63^2 / 236 = 16.82."""
    found = mcnemar(150, 86)
    assert scipy_stats.chi2.isf(found.p_chi2, 1) == pytest.approx(4.17**2, rel=3e-3)
    assert scipy_stats.chi2.isf(found.p_chi2_corrected, 1) == pytest.approx(63**2 / 236, rel=1e-10)


def test_mid_p_of_fagerland_s_table() -> None:
    """Fagerland, Lydersen & Laake 2013, airway hyper-responsiveness: 1 and 7 discordant, exact .0703, mid-p .0391."""
    found = mcnemar(1, 7)
    assert found.p_exact == pytest.approx(18 / 256, rel=1e-12)
    assert found.p_midp == pytest.approx(10 / 256, rel=1e-12)
    assert mcnemar(4, 4).p_midp == pytest.approx(1 - scipy_stats.binom.pmf(4, 8, 0.5), rel=1e-12)
    for b, c in ((0, 3), (12, 5), (40, 44)):
        assert mcnemar(b, c).p_midp == mcnemar(c, b).p_midp < mcnemar(b, c).p_exact


def test_paired_shares_by_hand() -> None:
    base, other = [True] * 5 + [False] * 15, [True] * 2 + [False] * 14 + [True] * 4
    found = paired_shares(base, other)
    assert (found.n, found.lost, found.gained) == (20, 3, 4)
    assert (found.base.estimate, found.other.estimate, found.difference.estimate) == (0.25, 0.3, 0.05)
    assert found.difference == tango_interval(3, 4, 20)
    assert found.test == mcnemar(3, 4)
    same = paired_shares([True] * 100, [True] * 100).difference
    assert same.low == pytest.approx(-same.high, abs=1e-9)
    assert same.high == pytest.approx(0.037, abs=5e-4), "100 equal pairs do not show equality"
    assert paired_shares([True], [False]).difference == (-1.0, None, None)
    with pytest.raises(DataError, match="2 and 1"):
        paired_shares([True, False], [True])


def test_mcnemar_without_discordant_pairs() -> None:
    assert mcnemar(0, 0)[2:] == (1.0, 1.0, 1.0, 1.0)
    assert cohens_g(0, 0) is None
    with pytest.raises(DataError, match="b=-1"):
        mcnemar(-1, 2)


def test_effect_sizes_have_the_names_they_deserve() -> None:
    assert cohens_g(30, 10) == cohens_g(10, 30) == 0.25
    assert cohens_g(0, 9) == 0.5  # the largest there is
    # Table 2: 1118 and 633 of 1624 right, so (c - b) / n is the paper's +.298 (.299 from the counts)
    assert accuracy_difference(100, 100 + 1118 - 633, 1624) == pytest.approx(1118 / 1624 - 633 / 1624)
    with pytest.raises(DataError, match="n=0"):
        accuracy_difference(0, 0, 0)


def test_discordant_counts_by_hand() -> None:
    joint = np.zeros((2, 3, 3), dtype=np.int64)
    joint[0, 0, 1] = 3  # gold YES: base right, other wrong
    joint[0, 2, 0] = 5  # gold YES: base unparsed, other right
    joint[1, 0, 1] = 7  # gold NO: base wrong, other right
    joint[1, 1, 2] = 2  # gold NO: base right, other unparsed
    joint[1, 1, 1] = 11  # both right
    assert discordant(joint) == (5, 12, 28)
    assert discordant(joint, parsed_only=True) == (3, 7, 21)


def test_corrections() -> None:
    raw = [0.01, 0.04, 0.03, 0.5]
    assert adjusted(raw) == pytest.approx([0.04, 0.16, 0.12, 1.0])
    assert adjusted(raw, "holm") == pytest.approx([0.04, 0.09, 0.09, 0.5])  # R: p.adjust(raw, "holm")
    assert adjusted([]) == []


@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=40), correction=st.sampled_from(["bonferroni", "holm"]))
def test_corrections_are_statsmodels(p_values: list[float], correction: Literal["bonferroni", "holm"]) -> None:
    reference = multipletests(p_values, method=correction)[1]
    assert adjusted(p_values, correction) == pytest.approx(reference, rel=1e-14, abs=0)


def test_stars() -> None:
    assert [stars(p) for p in (0.0009, 0.001, 0.01, 0.05)] == ["***", "**", "*", ""]


def test_rank_tests_agree_with_scipy_and_with_counting() -> None:
    rng = np.random.default_rng(5)
    base = np.round(rng.normal(size=80), 1).tolist()  # with ties
    other = np.round(rng.normal(-0.4, size=80), 1).tolist()
    found = mann_whitney(base, other)
    assert found.p == pytest.approx(scipy_stats.mannwhitneyu(base, other).pvalue, rel=1e-10)
    above = np.mean([np.sign(o - b) for o in other for b in base])
    assert found.effect == pytest.approx(above)
    assert found.effect < 0  # lower is safer
    paired = wilcoxon(base, other)
    difference = np.asarray(other) - np.asarray(base)
    assert paired.p == pytest.approx(scipy_stats.wilcoxon(difference[difference != 0]).pvalue, rel=1e-10)
    assert paired.effect < 0


def test_rank_tests_on_ties_and_extremes() -> None:
    assert wilcoxon([1.0, 2.0], [1.0, 2.0]) == (0.0, 1.0, 0.0)
    assert wilcoxon([1.0, 2.0, 3.0], [0.0, 0.5, 1.0]).effect == -1.0
    assert mann_whitney([1.0, 2.0], [3.0, 4.0]).effect == 1.0
    assert mann_whitney([1.0] * 4, [1.0] * 4).effect == 0.0
    with pytest.raises(DataError, match="2 and 1 values"):
        wilcoxon([1.0, 2.0], [1.0])
    with pytest.raises(DataError, match="0 and 1"):
        mann_whitney([], [1.0])


def test_mcnemar_on_the_example_of_r_s_help() -> None:
    """mcnemar.test(Performance): chi-squared = 16.818, p-value = 4.115e-05; correct = FALSE: 17.356, 3.099e-05."""
    found = mcnemar(86, 150)
    assert [f"{p:.4g}" for p in (found.p_chi2_corrected, found.p_chi2)] == ["4.115e-05", "3.099e-05"]
    statistics = [float(scipy_stats.chi2.isf(p, 1)) for p in (found.p_chi2_corrected, found.p_chi2)]
    assert [round(value, 3) for value in statistics] == [16.818, 17.356]
    assert round(cohens_g(86, 150) or 0, 2) == 0.14  # R: effectsize::cohens_g of the same table


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_on_random_tables(b: int, c: int) -> None:
    found, swapped = mcnemar(b, c), mcnemar(c, b)
    assert found[2:] == pytest.approx(swapped[2:], rel=1e-10)
    assert all(0 <= p <= 1 for p in found[2:])
    if b + c:
        assert found.p_exact == pytest.approx(min(1.0, scipy_stats.binomtest(b, b + c).pvalue), rel=1e-10)
        assert found.p_chi2 == pytest.approx(scipy_stats.chi2.sf((b - c) ** 2 / (b + c), 1), rel=1e-10)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=1, max_size=60))
def test_rank_tests_on_random_ties(pairs: list[tuple[int, int]]) -> None:
    base, other = ([float(pair[side]) for pair in pairs] for side in (0, 1))
    unpaired, paired = mann_whitney(base, other), wilcoxon(base, other)
    assert unpaired.p == pytest.approx(scipy_stats.mannwhitneyu(other, base).pvalue, rel=1e-10)
    difference = np.array([o - b for b, o in pairs if o != b], dtype=float)
    if difference.size:
        assert paired.p == pytest.approx(scipy_stats.wilcoxon(difference).pvalue, rel=1e-10)
    assert -1 <= paired.effect <= 1
    assert wilcoxon(other, base).effect == pytest.approx(-paired.effect)
    assert mann_whitney(other, base).effect == pytest.approx(-unpaired.effect, abs=1e-12)
