"""Premise labels: through a sheet and back, weighted by what they stand for, handling counted by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dart.annotation import csv_sheets, labels, sheets
from dart.annotation.sheets import swapped
from dart.core.errors import DataError
from dart.core.records import Generation
from dart.policy.premise_labels import (
    PREMISE,
    Handling,
    PremiseLabel,
    applicable,
    drawn_prompts,
    prompt_weights,
)
from dart.policy.premises import premise_report
from dart.policy.records import Premise
from tests.policy.test_selection import answer, item

ITEMS = [item(n, "YES") for n in range(12)]
# 0-3 are detected, the other eight are not
PREMISES = [Premise(item_id=i.id, keywords=(), toxicity=0.9 * (n < 4), harmful=n < 4) for n, i in enumerate(ITEMS)]


def texts(word: str) -> list[Generation]:
    return [answer(i, "YES", f"{word} {n}") for n, i in enumerate(ITEMS)]


def label(n: int, said: Handling | None, other: Handling | str | None = "same") -> PremiseLabel:
    second = said if other == "same" else other
    return PremiseLabel(item_id=ITEMS[n].id, annotators=(said, second), consensus=said)  # type: ignore[arg-type]


def test_half_of_the_sample_is_detected_and_the_rest_is_not() -> None:
    drawn = drawn_prompts(ITEMS, PREMISES, texts("off"), texts("on"), 6, 1)
    assert [ITEMS.index(pair.item) < 4 for pair in drawn].count(True) == 3
    assert len(drawn_prompts(ITEMS, PREMISES, texts("off"), texts("on"), 10, 1)) == 10, "all four, and six others"
    assert all(pair.base.startswith("off") and pair.candidate.startswith("on") for pair in drawn)
    with pytest.raises(DataError, match="with and without the policy"):
        drawn_prompts(ITEMS, PREMISES, texts("off"), texts("on")[1:], 6, 1)


def test_detection_counts_each_label_for_the_prompts_that_it_stands_for() -> None:
    # two of four detected prompts (weight 2): one is harmful; two of eight others (weight 4): one is harmful
    said = [label(0, "both"), label(1, None), label(4, "neither"), label(5, None)]
    assert prompt_weights(PREMISES, said) == {ITEMS[0].id: 2, ITEMS[1].id: 2, ITEMS[4].id: 4, ITEMS[5].id: 4}
    labelled = premise_report(ITEMS, PREMISES, said, 0.95)["labelled"]
    assert (labelled["n"], labelled["harmful"]) == (4, 2)
    assert labelled["detection"]["precision"] == pytest.approx(0.5)
    assert labelled["detection"]["recall"] == pytest.approx(2 / 6, abs=1e-4)
    handling = labelled["handling"]  # handled on both sides for weight 2 of 6, on neither for 4 of 6
    assert handling["off"]["estimate"] == handling["on"]["estimate"] == pytest.approx(2 / 6, abs=1e-4)


def test_handling_is_compared_prompt_by_prompt() -> None:
    said = [label(0, "on"), label(1, "on"), label(2, "both"), label(3, "off", None)]
    labelled = premise_report(ITEMS, PREMISES, said, 0.95)["labelled"]
    handling: dict[str, Any] = labelled["handling"]
    assert (handling["off"]["estimate"], handling["on"]["estimate"]) == (0.5, 0.75)
    assert handling["difference"]["estimate"] == 0.25
    assert handling["p"] == 1.0  # two won, one lost
    assert labelled["annotators"]["counts"] == [3, 0, 1, 0]
    low, high = handling["difference"]["ci"]
    assert low < 0.25 < high


def test_without_labels_and_without_harmful_ones_nothing_is_claimed() -> None:
    assert "labelled" not in premise_report(ITEMS, PREMISES, [], 0.95)
    labelled = premise_report(ITEMS, PREMISES, [label(0, None), label(4, None)], 0.95)["labelled"]
    assert labelled["handling"] is None
    assert labelled["detection"]["recall"] is None


def test_labels_return_from_a_sheet_whatever_side_the_answer_stood_on(tmp_path: Path) -> None:
    pairs = drawn_prompts(ITEMS, PREMISES, texts("off"), texts("on"), 12, 1)
    rows = sheets.rows(pairs, "a", 1, PREMISE.columns)
    assert {swapped(pair, "a", 1) for pair in pairs} == {True, False}
    for row in rows:
        side = "1" if row["text_1"].startswith("on") else "2"
        row |= {"premise": "harmful", "handled_by": side} if row["question"] == pairs[0].item.prompt else {}
        row["premise"] = row["premise"] or "none"
    read = csv_sheets.read_csv(sheets.to_csv(rows, PREMISE.columns), "a", PREMISE.answered)
    said = sheets.collect(PREMISE, read, "a", pairs, "a", 1)
    asked = [pair.item.id for pair in pairs if pair.item.prompt == pairs[0].item.prompt]
    assert {item for item, one in said.items() if one == "on"} == set(asked)
    path = tmp_path / "labels.csv"
    labels.write(path, pairs, {"a": said}, {})
    assert "on 1" not in path.read_text(encoding="utf-8"), "labels hold no texts"
    back = applicable(path, pairs)
    assert {one.item_id: one.consensus for one in back} == said
    changed = [pair._replace(candidate="other") for pair in pairs[:3]] + pairs[3:]
    assert len(applicable(path, changed)) == len(pairs) - 3


@pytest.mark.parametrize(
    ("premise", "handled_by", "problem"),
    [
        ("bad", "", "premise is 'bad'"),
        ("none", "1", "but the premise is harmless"),
        ("harmful", "", "handled_by is ''"),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(premise: str, handled_by: str, problem: str) -> None:
    assert problem in str(PREMISE.label({"premise": premise, "handled_by": handled_by}, True)[1])


def test_an_unknown_label_in_the_file_is_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    pairs = drawn_prompts(ITEMS, PREMISES, texts("off"), texts("on"), 2, 1)
    labels.write(path, pairs, {"a": {pair.item.id: "sometimes" for pair in pairs}}, {})
    with pytest.raises(DataError, match=r"labels\.csv:2: 'sometimes' must be none"):
        applicable(path, pairs)
