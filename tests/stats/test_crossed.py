"""Means over seeds and items: by hand, against statsmodels' mixed model, and by simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.anova import anova_lm

from dart.core.errors import DataError
from dart.stats.crossed import against_seeds, crossed_equivalence, crossed_mean, crossed_ratio, multi_bootstrap
from dart.stats.variance_components import variance_components
from tests.stats.test_variance_components import long, table


def test_the_variance_is_that_of_the_mean_squares_of_statsmodels() -> None:
    values = table(0.4, 0.5, 0.3, (4, 30))
    anova = anova_lm(smf.ols("y ~ C(seed) + C(item)", long(values)).fit())
    squares = (anova["sum_sq"] / anova["df"]) / values.size
    of_seeds, of_items = squares["C(seed)"], squares["C(item)"] - squares["Residual"]
    result = crossed_mean(values)
    assert result.se == pytest.approx(math.sqrt(of_seeds + of_items), rel=1e-10)
    assert result.se == pytest.approx(variance_components(values).standard_error, rel=1e-10)
    reach = math.sqrt(stats.t.ppf(0.975, 3) ** 2 * of_seeds + stats.t.ppf(0.975, 29) ** 2 * of_items)
    assert (result.low, result.high) == pytest.approx((values.mean() - reach, values.mean() + reach), rel=1e-10)


def test_p_is_one_less_the_confidence_of_the_interval_that_ends_at_zero() -> None:
    values = 0.9 + table(0.4, 0.5, 0.3, (4, 30))
    p = crossed_mean(values).p
    assert p is not None
    assert crossed_mean(values, 1 - p).low == pytest.approx(0.0, abs=1e-10)


def test_without_differences_between_items_it_is_students_t_over_seeds() -> None:
    means = np.array([0.2, 0.5, 0.3, 0.9])
    result = crossed_mean(np.repeat(means[:, None], 50, axis=1))
    expected = stats.ttest_1samp(means, 0.0)
    assert result.p == pytest.approx(expected.pvalue, rel=1e-10)
    assert (result.low, result.high) == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-10)


def test_without_differences_between_seeds_it_is_students_t_over_items() -> None:
    items = np.random.default_rng(3).standard_normal(40)
    result = crossed_mean(np.repeat(items[None], 5, axis=0))
    expected = stats.ttest_1samp(items, 0.0)
    assert result.p == pytest.approx(expected.pvalue, rel=1e-10)
    assert (result.low, result.high) == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-10)


def test_interval_and_test_agree() -> None:
    draws = np.random.default_rng(5)
    for _ in range(200):
        result = crossed_mean(draws.integers(-1, 2, size=(3, 20)) + draws.normal(0, 0.3, size=(3, 1)))
        assert result.p is not None
        assert result.low is not None
        assert result.high is not None
        assert (result.p < 0.05) == (not result.low <= 0 <= result.high)


def test_one_seed_says_nothing_of_another() -> None:
    result = crossed_mean([[1, 0, 1]])
    assert result.json() == {
        "estimate": pytest.approx(2 / 3, abs=1e-6), "ci": None, "se": None, "p": None, "n_seeds": 1,
        "n_items": 3,
    }  # fmt: skip


def test_a_rate_that_never_varied_has_an_interval_of_some_width() -> None:
    none = crossed_mean(np.zeros((5, 100)), bounds=(0, 1))
    assert none.low == 0.0
    assert none.high == pytest.approx(0.037, abs=5e-4)  # Tango's of 100 pairs without a discordant one
    assert none.p == 1.0
    every = crossed_mean(np.ones((5, 100)), bounds=(0, 1))
    assert (every.estimate, every.high, every.p) == (1.0, 1.0, 1e-300)
    assert every.low is not None
    assert every.low < 0.97


def test_bounds_cut_the_interval() -> None:
    cases = np.zeros((5, 100))
    cases[2, :20] = 1
    assert crossed_mean(cases).low < 0  # type: ignore[operator]
    assert crossed_mean(cases, bounds=(0, 1)).low == 0


def test_a_ratio_by_hand() -> None:
    before = np.array([[1, 1, 0, 0], [1, 1, 1, 1.0]])
    removed = np.array([[1, 0, 0, 0], [1, 1, 1, 0.0]])
    result = crossed_ratio(removed, before)
    assert result is not None
    assert result.estimate == pytest.approx(4 / 6)
    influence = (removed - 4 / 6 * before) / before.mean()
    assert result.se == pytest.approx(crossed_mean(influence).se)
    assert crossed_ratio(removed, np.zeros((2, 4))) is None


def test_the_ratios_error_is_that_of_repeated_experiments() -> None:
    draws = np.random.default_rng(11)
    ratios, errors = [], []
    for _ in range(400):
        before = draws.random((5, 300)) < draws.beta(20, 60, size=(5, 1))
        after = before & (draws.random((5, 300)) < draws.beta(20, 40, size=(5, 1)))
        result = crossed_ratio(before.astype(float) - after, before.astype(float))
        assert result is not None
        assert result.se is not None
        ratios.append(result.estimate)
        errors.append(result.se)
    assert np.mean(errors) == pytest.approx(np.std(ratios), rel=0.12)


def test_one_training_against_several_is_the_t_test_of_a_single_observation() -> None:
    draws = np.random.default_rng(2)
    seeds, arm = (draws.random((5, 60)) < 0.4).astype(float), (draws.random(60) < 0.6).astype(float)
    means = seeds.mean(axis=1)
    expected = stats.ttest_ind([arm.mean()], means)  # a sample of one: the pooled sd is that of the other
    result = against_seeds(arm, seeds)
    assert result.p == pytest.approx(expected.pvalue, rel=1e-10)
    assert (result.low, result.high) == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-10)


def test_equal_seeds_leave_the_items_as_the_only_error() -> None:
    seeds = np.zeros((4, 100))
    arm = np.r_[np.ones(10), np.zeros(90)]
    result = against_seeds(arm, seeds)
    assert result.se == pytest.approx(arm.std(ddof=1) / 10)
    same = against_seeds(np.zeros(100), seeds)
    assert (same.estimate, same.p) == (0.0, 1.0)
    assert same.high == pytest.approx(0.037, abs=5e-4)
    assert against_seeds(arm, seeds[:1]).p is None


def test_equivalence_is_the_interval_within_the_margin() -> None:
    draws = np.random.default_rng(4)
    values = draws.choice([-1, 0, 1], size=(5, 2000), p=[0.05, 0.9, 0.05])
    shown = crossed_equivalence(values, 0.02)
    assert shown.equivalent
    assert shown.interval == crossed_interval(values, 0.9)
    assert not crossed_equivalence(values + np.array([[-0.3], [0.3], [0], [0.2], [-0.2]]), 0.02).equivalent
    assert crossed_equivalence(values[:1], 0.02).p == 1.0  # one seed
    assert shown.p < 0.05
    edge = crossed_equivalence(values, max(abs(shown.interval.low or 0), abs(shown.interval.high or 0)))
    assert edge.p == pytest.approx(0.05, rel=1e-8), "the margin at the interval's end"


def crossed_interval(values: np.ndarray, confidence: float) -> tuple[float | None, float | None, float | None]:
    result = crossed_mean(values, confidence, (-1, 1))
    return result.estimate, result.low, result.high


def test_multi_bootstrap_resamples_both() -> None:
    seeds_differ = np.repeat(np.arange(10.0)[:, None], 20, axis=1)
    items_differ = np.repeat(np.arange(20.0)[None], 10, axis=0)
    for values, n, axis in ((seeds_differ, 10, 1), (items_differ, 20, 0)):
        result = multi_bootstrap(values, 4000, 1)
        assert result.low is not None
        assert result.high is not None
        error = values.mean(axis=axis).std() / math.sqrt(n)
        assert result.high - result.low == pytest.approx(2 * 1.96 * error, rel=0.06)


@pytest.mark.parametrize("values", [[], [1.0, 2.0], [[1.0, math.nan]], [[math.inf, 0.0]]])
@pytest.mark.parametrize(
    "function", [crossed_mean, lambda v: crossed_equivalence(v, 0.1), lambda v: against_seeds([1.0, 2.0], v)]
)
def test_what_is_no_table_of_numbers_is_refused(values: list[object], function: Callable[[object], object]) -> None:
    with pytest.raises(DataError):
        function(values)


def test_coverage_and_type_one_error_by_simulation() -> None:
    """Small; the full worlds are those of benchmarks/seed_coverage.py."""
    draws = np.random.default_rng(8)
    covered = alarms = 0
    for _ in range(600):
        world = 0.4 * draws.standard_normal((6, 1)) + draws.standard_normal((1, 40)) + draws.standard_normal((6, 40))
        result = crossed_mean(world[:5])
        assert result.low is not None
        assert result.high is not None
        covered += result.low <= 0 <= result.high
        p = against_seeds(world[5], world[:5]).p
        alarms += p is not None and p < 0.05
    assert 0.92 <= covered / 600 <= 0.98
    assert 0.03 <= alarms / 600 <= 0.07
