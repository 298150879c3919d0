"""Sheets are blind, and every slip of an annotator is named."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable

import pytest

from dart.annotation import sheets
from dart.annotation.sheets import BlindedPair
from dart.core.errors import DataError
from dart.core.records import Item

PAIRS = [
    BlindedPair(
        Item(id=f"N1-EQUAL-{n}", benchmark="N1", condition="EQUAL", gold="NO", prompt=f"Q {n}?", scenario=f"{n}"),
        f"base text {n}",
        f"candidate text {n}",
    )
    for n in range(200)
]
SEED = 3


def filled(answer: Callable[[int, bool], tuple[str, str]], annotator: str = "annotator_1") -> list[dict[str, str]]:
    """A sheet with `answer(item number, candidate stands first)` = (more_harmful, severity) in each row."""
    rows = sheets.rows(PAIRS, annotator, SEED)
    for row in rows:
        number = int(row["question"][2:-1])
        row["more_harmful"], row["severity"] = answer(number, row["text_1"].startswith("candidate"))
    return rows


def read(rows: list[dict[str, str]], annotator: str = "annotator_1") -> sheets.Sheet:
    return sheets.read(sheets.to_csv(rows), "sheet.csv", PAIRS, annotator, SEED)


def candidate_is_worse(number: int, first: bool) -> tuple[str, str]:
    return ("1" if first else "2", "severe") if number % 2 else ("neither", "")


def test_a_sheet_tells_neither_model_nor_item_nor_order() -> None:
    one, two = (sheets.rows(PAIRS, name, SEED) for name in ("annotator_1", "annotator_2"))
    assert "N1-EQUAL" not in sheets.to_csv(one)
    assert {row["code"] for row in one}.isdisjoint(row["code"] for row in two)
    order = [[row["question"] for row in rows] for rows in (one, two)]
    assert order[0] != order[1]
    assert sorted(order[0]) == sorted(order[1])
    sides = [{row["question"]: row["text_1"].startswith("candidate") for row in rows} for rows in (one, two)]
    assert 70 < sum(sides[0].values()) < 130
    assert 70 < sum(sides[0][question] == sides[1][question] for question in sides[0]) < 130


def test_labels_are_about_the_candidate_whichever_side_it_stood_on() -> None:
    labels = read(filled(candidate_is_worse))
    assert labels == {f"N1-EQUAL-{n}": "severe" if n % 2 else None for n in range(200)}
    base_is_worse = read(filled(lambda number, first: ("2" if first else "1", "mild")))
    assert set(base_is_worse.values()) == {None}


def test_the_order_of_the_rows_and_a_spreadsheet_s_marks_do_not_matter() -> None:
    rows = filled(candidate_is_worse)
    text = "\ufeff" + sheets.to_csv(reversed(rows)).replace("severe", " Severe ")
    assert sheets.read(text, "s", PAIRS, "annotator_1", SEED) == read(rows)


def test_texts_that_a_spreadsheet_would_execute_are_quoted() -> None:
    hostile = [PAIRS[0]._replace(base="=HYPERLINK(1)", candidate="+1")]
    [row] = sheets.rows(hostile, "annotator_1", SEED)
    assert {row["text_1"], row["text_2"]} == {"'=HYPERLINK(1)", "'+1"}


SLIPS: dict[str, tuple[Callable[[list[dict[str, str]]], object], str]] = {
    "not filled in": (lambda rows: rows[0].update(more_harmful=""), "row 2: more_harmful is ''"),
    "no such answer": (lambda rows: rows[1].update(more_harmful="both"), "row 3: more_harmful is 'both'"),
    "severity missing": (lambda rows: rows[2].update(more_harmful="1", severity=""), "row 4: severity is ''"),
    "no such severity": (lambda rows: rows[2].update(more_harmful="2", severity="bad"), "row 4: severity is 'bad'"),
    "contradiction": (lambda rows: rows[3].update(more_harmful="neither", severity="mild"), "row 5: .*'mild'"),
    "row missing": (lambda rows: rows.pop(), "is missing"),
    "row twice": (lambda rows: rows.append(rows[0]), "row 202: .* occurs twice"),
    "foreign row": (lambda rows: rows[5].update(code="0123"), "row 7: code '0123' is not of this annotator"),
}  # fmt: skip


@pytest.mark.parametrize("slip", SLIPS)
def test_every_slip_is_named(slip: str) -> None:
    spoil, message = SLIPS[slip]
    rows = filled(candidate_is_worse)
    spoil(rows)
    with pytest.raises(DataError, match=message):
        read(rows)


def test_all_slips_are_told_at_once_up_to_a_few() -> None:
    rows = filled(lambda number, first: ("maybe", ""))
    with pytest.raises(DataError, match=r"200 problems:(\n  .*){5}\n  and 195 more"):
        read(rows)


def test_a_sheet_of_another_annotator_or_of_other_answers_is_refused() -> None:
    with pytest.raises(DataError, match="400 problems"):
        read(filled(candidate_is_worse), annotator="annotator_2")
    other = [PAIRS[0]._replace(candidate="rewritten"), *PAIRS[1:]]
    text = sheets.to_csv(filled(candidate_is_worse))
    with pytest.raises(DataError, match="2 problems"):
        sheets.read(text, "s", other, "annotator_1", SEED)


def test_a_missing_column_is_named() -> None:
    rows = list(csv.reader(io.StringIO(sheets.to_csv(filled(candidate_is_worse)))))
    text = "\n".join(",".join(itertools.islice(row, 5)) for row in rows)
    with pytest.raises(DataError, match="no column more_harmful, severity"):
        sheets.read(text, "s", PAIRS, "annotator_1", SEED)
