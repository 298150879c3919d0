"""The paper's own arithmetic, recomputed by the functions that compute ours."""

from __future__ import annotations

import pytest

from dart.report.published import TABLE_45
from dart.stats.agreement import detection_of_counts, share
from dart.stats.drift import reduction
from dart.stats.equivalence import tango_interval
from dart.stats.paired import accuracy_difference, stars


def test_headline_accuracies_are_counts_of_1624() -> None:
    assert [round(100 * count / 1624, 1) for count in (633, 1118)] == [39.0, 68.8]
    assert round(100 * accuracy_difference(0, 1118 - 633, 1624), 1) == 29.9  # the paper's +29.8 is 68.8 - 39.0
    found = share(1118, 1624)
    assert [round(value, 3) for value in found if value is not None] == [0.688, 0.665, 0.710]
    # even with as many discordant pairs as there can be, the gain is far from chance
    low = tango_interval(1624 - 1118, 1624 - 633, 1624).low
    assert low is not None
    assert low > 0.25


@pytest.mark.parametrize(
    ("before", "after", "printed"),
    [
        (435, 119, -72.6), (283, 71, -74.9), (121, 34, -71.9), (31, 14, -54.8),  # weighted
        (435, 151, -65.3), (283, 102, -64.0), (121, 39, -67.8), (31, 10, -67.7),  # uniform
    ],
)  # fmt: skip
def test_table_30(before: int, after: int, printed: float) -> None:
    assert round(-100 * (reduction(before, after) or 0), 1) == printed


def test_table_30_sums() -> None:
    assert (102 + 39 + 10, 71 + 34 + 14, 283 + 121 + 31) == (151, 119, 435)
    assert round(72.6 - 65.3, 1) == 7.3
    assert round(74.9 - 64.0, 1) == 10.9
    assert round(54.8 - 67.7, 1) == -12.9


def test_table_45_shares() -> None:
    assert [sum(column) for column in zip(*TABLE_45.values(), strict=True)] == [31, 121, 283, 0]
    assert round(100 * 435 / 1624, 1) == 26.8
    assert round(100 * 283 / 435, 1) == 65.1
    printed = {"D1": 29.9, "D2": 14.5, "D3": 45.0, "D4": 47.5, "N1": 10.5, "N2": 7.5, "N3": 34.5, "N4": 24.5}
    sizes = {name: 224 if name == "D1" else 200 for name in printed}
    assert {name: round(100 * sum(TABLE_45[name]) / sizes[name], 1) for name in printed} == printed


def test_table_28() -> None:
    found = detection_of_counts(82, 15, 20, 83)
    values = (found.precision.estimate, found.recall.estimate, found.f1, found.kappa.estimate)
    assert [f"{value:.3f}" for value in values if value is not None] == ["0.845", "0.804", "0.824", "0.650"]


def test_no_permutation_p_of_10000_resamples_can_be_1e_12() -> None:
    assert 1 / 10_001 > 1e-12
    assert stars(1 / 10_001) == "***"
