"""The shape of a source file: what is promised is checked, and the message says where without quoting the text."""

import pytest

from dart.core.errors import DataError
from dart.core.records import GOLD
from dart.suite.raw import RawItem, item_id, raw_items

_GOOD = [[["first", 0, "s"], ["second", 1, 4]], [["third", 2, "s"]]]


def test_items_carry_condition_index_and_scenario() -> None:
    items = raw_items("D3", _GOOD, "D3.pkl")
    assert [item_id(item) for item in items] == ["D3-DIFF-0", "D3-DIFF-1", "D3-EQUAL-0"]
    assert [item.scenario for item in items] == ["s", "4", "s"]
    for item in items:
        made = item.as_item()
        assert (made.id, made.prompt, made.gold) == (item_id(item), item.question, GOLD[item.condition])


@pytest.mark.parametrize("benchmark", ["D1", "N2"])
def test_row_numbers_do_not_join_the_halves(benchmark: str) -> None:
    items = raw_items(benchmark, [[["first", 0, 5]], [["second", 1, 5]]], "x.pkl")
    assert len({item.scenario for item in items}) == 2


@pytest.mark.parametrize(
    ("halves", "where"),
    [
        ("text", "two halves"),
        ([[]], "two halves"),
        ([_GOOD[0], []], "EQUAL: expected a list of items"),
        ([_GOOD[0], {"a": 1}], "EQUAL: expected a list of items, found a dict"),
        ([_GOOD[0], [["third", 2]]], "EQUAL, item 0: expected .question"),
        ([[*_GOOD[0], [1, 0, "s"]], _GOOD[1]], "DIFF, item 2: the question"),
        ([[*_GOOD[0], ["  ", 0, "s"]], _GOOD[1]], "DIFF, item 2: the question"),
        ([[["secret text", 2, "s"]], _GOOD[1]], "DIFF, item 0: the answer"),
        ([[["secret text", True, "s"]], _GOOD[1]], "DIFF, item 0: the answer"),
        ([_GOOD[0], [["secret text", 3, "s"]]], "EQUAL, item 0: the answer"),
        ([_GOOD[0], [["secret text", 2, None]]], "EQUAL, item 0: the scenario"),
        ([_GOOD[0], [["secret text \ud800", 2, 1]]], "EQUAL, item 0"),
    ],
)
def test_another_shape_is_refused_with_its_position(halves: object, where: str) -> None:
    with pytest.raises(DataError, match=where) as caught:
        raw_items("D3", halves, "D3.pkl")
    assert str(caught.value).startswith("D3.pkl")
    assert "secret" not in str(caught.value)


def test_raw_items_are_immutable() -> None:
    item = RawItem(benchmark="D1", condition="DIFF", index=0, question="q", answer=0, scenario="s")
    with pytest.raises(ValueError, match="frozen"):
        item.index = 1  # type: ignore[misc]
