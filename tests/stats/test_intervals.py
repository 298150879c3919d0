"""BCa against scipy on the same resamples, and where it has no finite value."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from dart.core.errors import DataError
from dart.core.schema.method import Statistics
from dart.stats.bootstrap import (
    leave_one_out,
    paired_interval,
    rate_differences,
    rate_intervals,
    relative_median_change,
    resample_counts,
)
from dart.stats.decision import rates
from dart.stats.intervals import Interval, Jackknife, bca_interval, interval, percentile_interval

STATISTICS = Statistics(resamples=4000, confidence=0.95)
SKEWED = np.array([[40, 2, 1], [5, 90, 4]])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("statistic", [np.mean, np.var, scipy_stats.skew])
def test_bca_agrees_with_scipy_on_the_same_resamples(seed: int, statistic: object) -> None:
    values = np.random.default_rng(seed).lognormal(size=40)
    expected = scipy_stats.bootstrap((values,), statistic, method="BCa", n_resamples=999, rng=seed)
    left_out = np.array([statistic(np.delete(values, k)) for k in range(values.size)])  # type: ignore[operator]
    jackknife = Jackknife(left_out, np.ones(values.size))
    found = bca_interval(float(statistic(values)), expected.bootstrap_distribution, jackknife, 0.95)  # type: ignore[operator]
    assert (found.low, found.high) == pytest.approx(expected.confidence_interval, rel=1e-10)
    assert found != percentile_interval(float(statistic(values)), expected.bootstrap_distribution, 0.95)  # type: ignore[operator]


def test_bca_of_counts_is_bca_of_the_items() -> None:
    """The weighted jackknife over cells equals the jackknife over items."""
    estimate, drawn = float(rates(SKEWED).macro_f1), rates(resample_counts(SKEWED, 4000, 5)).macro_f1
    cells = np.repeat(np.arange(6), SKEWED.ravel())
    one_by_one = [
        float(rates(np.bincount(np.delete(cells, k), minlength=6).reshape(2, 3)).macro_f1) for k in range(len(cells))
    ]
    expected = bca_interval(estimate, drawn, Jackknife(np.array(one_by_one), np.ones(len(cells))), 0.95)
    found = rate_intervals(SKEWED, STATISTICS, 5, method="bca")["macro_f1"]
    assert found == pytest.approx(expected, rel=1e-10)
    assert found != rate_intervals(SKEWED, STATISTICS, 5)["macro_f1"]


def test_bca_of_pairs_leaves_out_pairs() -> None:
    rng = np.random.default_rng(4)
    base, other = rng.lognormal(size=30), rng.lognormal(0.3, 1, size=30)
    found = paired_interval(
        base.tolist(), other.tolist(), lambda a, b: (b - a).mean(axis=-1), STATISTICS, 2, method="bca"
    )
    expected = scipy_stats.bootstrap((other - base,), np.mean, method="BCa", n_resamples=4000, rng=1)
    assert (found.low, found.high) == pytest.approx(expected.confidence_interval, abs=0.12 * (other - base).std())
    median = paired_interval(base.tolist(), other.tolist(), relative_median_change, STATISTICS, 2, method="bca")
    assert median.low is not None
    assert median.low < median.estimate < median.high


def test_without_a_finite_correction_it_is_the_percentile_interval() -> None:
    drawn = np.linspace(0, 1, 101)
    flat = Jackknife(np.zeros(5), np.ones(5))
    assert bca_interval(-1.0, drawn, flat, 0.9) == percentile_interval(-1.0, drawn, 0.9)  # all resamples above
    undefined = Jackknife(np.full(3, np.nan), np.ones(3))
    assert bca_interval(0.3, drawn, undefined, 0.9) == percentile_interval(0.3, drawn, 0.9)
    assert bca_interval(0.5, drawn, flat, 0.9) == pytest.approx((0.5, 0.05, 0.95))  # no bias, no acceleration
    assert bca_interval(np.nan, drawn, flat, 0.9) == (None, None, None)
    assert bca_interval(1.0, np.array([np.nan]), flat, 0.9) == Interval(1.0, None, None)


@pytest.mark.parametrize("table", [[[0, 0, 5], [0, 0, 7]], [[0, 0, 1], [0, 0, 0]], [[9, 0, 0], [0, 9, 0]]])
def test_degenerate_tables(table: list[list[int]]) -> None:
    """All unparsed, one item, all right: BCa stays a point where the statistic cannot vary."""
    for name in ("accuracy", "parse_rate"):
        found = rate_intervals(np.array(table), STATISTICS, 1, method="bca")[name]
        assert found.low == found.estimate == found.high


def test_one_pair_and_unknown_methods() -> None:
    found = paired_interval([1.0], [3.0], lambda a, b: (b - a).mean(axis=-1), STATISTICS, 1, method="bca")
    assert found == (2.0, 2.0, 2.0)
    with pytest.raises(DataError, match="unknown method 'basic'"):
        interval(0.0, np.zeros(3), 0.95, "basic", None)  # type: ignore[arg-type]


def test_leave_one_out_keeps_the_shape() -> None:
    tables, weights = leave_one_out(SKEWED)
    assert tables.shape == (6, 2, 3)
    assert weights.tolist() == SKEWED.ravel().tolist()
    assert set(tables.sum(axis=(1, 2))) == {SKEWED.sum() - 1}


def test_the_seed_is_shared_by_the_methods() -> None:
    """Same resamples, other levels: both intervals have the same estimate and lie in the same range."""
    joint = np.zeros((2, 3, 3), dtype=np.int64)
    joint[0, 0, 0], joint[0, 0, 1], joint[0, 1, 0], joint[1, 1, 1] = 50, 2, 30, 60
    percentile, bca = (rate_differences(joint, STATISTICS, 3, method)["accuracy"] for method in ("percentile", "bca"))
    assert percentile.estimate == bca.estimate == pytest.approx(28 / 142)
    assert bca.low == pytest.approx(percentile.low, abs=0.02)
