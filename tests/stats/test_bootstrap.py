"""Intervals: the shortcut through counts and order statistics is the ordinary bootstrap, and it is fast."""

from __future__ import annotations

import time

import numpy as np
import pytest

from dart.core.errors import DataError
from dart.core.schema.method import Statistics
from dart.stats.bootstrap import (
    joint_counts,
    median_interval,
    paired_interval,
    quantile_interval,
    rate_differences,
    rate_intervals,
    relative_median_change,
    resample_counts,
)
from dart.stats.decision import rates
from dart.stats.intervals import Interval, percentile_interval

STATISTICS = Statistics(resamples=10_000, confidence=0.95)
PAPER_SIZE = np.array([[[300, 80, 20], [120, 60, 12], [110, 50, 30]], [[40, 500, 6], [10, 70, 4], [40, 160, 12]]])


def test_ten_thousand_resamples_on_the_paper_s_test_set_take_less_than_a_second() -> None:
    assert PAPER_SIZE.sum() == 1624
    start = time.process_time()
    rate_differences(PAPER_SIZE, STATISTICS, 1)
    assert time.process_time() - start < 1.0  # the published code: 22


def test_counts_are_the_ordinary_bootstrap() -> None:
    """Same interval as drawing indices, up to simulation noise."""
    cells = np.repeat(np.arange(18), PAPER_SIZE.ravel())
    rng = np.random.default_rng(3)
    drawn = np.stack([np.bincount(rng.choice(cells, cells.size), minlength=18) for _ in range(2000)])
    tables = drawn.reshape(-1, 2, 3, 3)
    difference = rates(tables.sum(axis=-2)).macro_f1 - rates(tables.sum(axis=-1)).macro_f1
    found = rate_differences(PAPER_SIZE, STATISTICS, 1)["macro_f1"]
    assert (found.low, found.high) == pytest.approx(np.quantile(difference, [0.025, 0.975]), abs=0.004)


def test_interval_of_a_share_is_near_the_normal_one() -> None:
    table = np.array([[600, 200, 0], [100, 700, 0]])
    found = rate_intervals(table, STATISTICS, 1)["accuracy"]
    share = 1300 / 1600
    half = 1.96 * np.sqrt(share * (1 - share) / 1600)
    assert found.estimate == share
    assert (found.low, found.high) == pytest.approx((share - half, share + half), abs=0.002)


@pytest.mark.parametrize(("n", "q"), [(200, 0.5), (201, 0.5), (200, 0.95), (41, 0.3)])
def test_quantiles_are_the_ordinary_bootstrap(n: int, q: float) -> None:
    values = np.random.default_rng(n).lognormal(size=n)
    rng = np.random.default_rng(9)
    drawn = np.quantile(values[rng.integers(0, n, size=(4000, n))], q, axis=1)
    found = quantile_interval(values.tolist(), q, STATISTICS, 1)
    assert found.estimate == np.quantile(values, q)
    spread = drawn.std()
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.35 * spread)


def test_edge_cases() -> None:
    assert median_interval([2.0], STATISTICS, 1) == (2.0, 2.0, 2.0)
    assert median_interval([1.0] * 9, STATISTICS, 1) == (1.0, 1.0, 1.0)
    only_yes = np.zeros((2, 3), dtype=np.int64)
    only_yes[0, 2] = 1  # one unparsed DIFF item
    found = rate_intervals(only_yes, STATISTICS, 1)
    assert found["accuracy"] == (0.0, 0.0, 0.0)
    assert found["equal_accuracy"] == found["accuracy_parsed"] == (None, None, None)
    assert found["equal_accuracy"].json() == {"estimate": None, "ci": None}
    with pytest.raises(DataError, match="nothing to resample"):
        resample_counts(np.zeros((2, 3), dtype=np.int64), 10, 1)
    with pytest.raises(DataError, match="nothing to resample"):
        median_interval([], STATISTICS, 1)
    assert percentile_interval(1.0, np.array([np.nan]), 0.95) == Interval(1.0, None, None)


def test_paired_change_of_the_median() -> None:
    rng = np.random.default_rng(2)
    base = rng.lognormal(size=300)
    other = base * 1.071  # Section 3.2: +7.1 %
    found = paired_interval(base.tolist(), other.tolist(), relative_median_change, STATISTICS, 1)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.071, 0.071, 0.071))
    noisy = paired_interval(base.tolist(), rng.permutation(other).tolist(), relative_median_change, STATISTICS, 1)
    assert noisy.low < noisy.estimate < noisy.high
    with pytest.raises(DataError, match="2 and 1"):
        paired_interval([1.0, 2.0], [1.0], relative_median_change, STATISTICS, 1)


def test_chunks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    base, other = [1.0, 2.0, 4.0, 8.0], [2.0, 2.0, 5.0, 9.0]
    whole = paired_interval(base, other, relative_median_change, STATISTICS, 1)
    monkeypatch.setattr("dart.stats.bootstrap._CHUNK_VALUES", 40)
    assert paired_interval(base, other, relative_median_change, STATISTICS, 1) == whole


def test_seed_decides_and_only_the_seed() -> None:
    first, second = (rate_differences(PAPER_SIZE, STATISTICS, seed) for seed in (1, 1))
    assert first == second
    assert rate_differences(PAPER_SIZE, STATISTICS, 2) != first


def test_joint_counts_keep_every_pair() -> None:
    from dart.core.records import Generation, Item

    item = Item(id="a", benchmark="D1", condition="DIFF", gold="YES", prompt="?", scenario="s")
    answer = Generation(
        item_id="a", variant="base", text="", rationale="", prediction=None, new_tokens=0, model="m", revision="r",
        prompt_hash="h",
    )  # fmt: skip
    table = joint_counts([item], [answer], [answer.model_copy(update={"prediction": "NO"})])
    assert table.sum() == table[0, 2, 1] == 1
