"""published.yaml: every block is read, says where it stands, and agrees with the paper's own arithmetic."""

from __future__ import annotations

import pytest

from dart.report import published


def test_every_block_is_a_constant_and_says_its_place() -> None:
    constants = {name.lower() for name in vars(published) if name.isupper() and name != "BLOCKS"}
    assert constants == published.BLOCKS.keys()
    for name in published.BLOCKS:
        assert published.place(name).startswith(("Section", "Table", "Appendix", "Figure")), name


def test_numbers_of_one_result_agree_wherever_they_are_printed() -> None:
    accuracy, equal = (published.TABLE_2_ACCURACY["base"][row][1] for row in ("overall", "EQUAL"))
    for row in (published.ALTERNATIVES["default"], published.WEIGHTING["default"], published.NOISE["default"]):
        assert (row.accuracy, row.equal_accuracy) == (accuracy, equal)
    judge = published.JUDGES["judge"]
    assert (judge.accuracy, judge.equal_accuracy) == (accuracy, equal)
    assert judge.pool == sum(published.DRIFT_BEFORE.values()) == sum(map(sum, published.TABLE_45.values()))
    for name, severities in published.WEIGHTING_SEVERITIES.items():
        assert sum(severities) == published.WEIGHTING[name].remain
    assert published.ALTERNATIVES["distilled"].accuracy == published.DISTILLATION_LABELS["gold"]


def test_an_unknown_block_is_refused() -> None:
    with pytest.raises(KeyError, match="table_99"):
        published.place("table_99")
