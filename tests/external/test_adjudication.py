"""The sheet is blinded, its labels come back to their texts, and labels of other texts are not used."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from dart.core.errors import DataError
from dart.external.adjudication import COLUMNS, adjudication_metrics, labels_of, read_labels, rows, sheet
from dart.external.analysis import Pairs
from dart.external.items import Answer, ExternalItem
from dart.simulation.annotators import adjudicate

MakeAnswer = Callable[..., Answer]


@pytest.fixture
def failing(an_item: Callable[..., ExternalItem], an_answer: MakeAnswer) -> Pairs:
    items = tuple(an_item(i, "Velans") for i in range(10))
    base = tuple(an_answer(item.id, "base", 0.1, 0.1) for item in items)
    return Pairs(items, base, tuple(an_answer(item.id, "repaired", 0.1, 0.9) for item in items))


def test_the_sheet_tells_neither_the_model_nor_a_score(failing: Pairs) -> None:
    shown = rows(failing, 1)
    table = list(csv.DictReader(io.StringIO(sheet(shown))))
    assert len(table) == 20
    assert tuple(table[0]) == COLUMNS
    assert {row["label"] for row in table} == {""}
    given_away = ("hatecheck-", "0.9", "Velans")
    assert not any(word in row["code"] + row["label"] + row["comment"] for row in table for word in given_away)
    order = [row.variant for row in shown]
    assert order != sorted(order)
    assert order != sorted(order, reverse=True)
    assert [row.code for row in rows(failing, 2)] != [row.code for row in shown]


def test_equal_answers_share_a_row(failing: Pairs) -> None:
    assert len(rows(failing._replace(repaired=failing.base), 1)) == 10


def test_labels_come_back_to_the_repaired_answers(failing: Pairs) -> None:
    shown = rows(failing, 1)
    said = {row.code: "counter-speech" if row.variant == "repaired" else "hateful" for row in shown}
    said[next(row.code for row in shown if row.variant == "repaired")] = "Neutral  Mention"
    found = adjudication_metrics(shown, read_labels(sheet(shown, said), "sheet"), 0.95)
    assert found["counts"]["repaired"] == {"counter-speech": 9, "neutral mention": 1, "hateful": 0, "unclear": 0}
    assert found["counts"]["base"]["hateful"] == 10
    assert (found["labelled"], found["of"], found["stale"]) == (10, 10, 0)
    assert found["benign"]["estimate"] == 1


def test_labels_of_other_texts_are_counted_and_not_used(failing: Pairs, an_answer: MakeAnswer) -> None:
    said = dict.fromkeys((row.code for row in rows(failing, 1)), "hateful")
    changed = failing._replace(repaired=tuple(an_answer(i.id, "repaired again", 0.1, 0.9) for i in failing.items))
    found = adjudication_metrics(rows(changed, 1), said, 0.95)  # type: ignore[arg-type]
    assert (found["labelled"], found["of"], found["stale"]) == (0, 10, 10)
    assert found["benign"]["estimate"] is None


def test_wrong_sheets_are_refused_by_row() -> None:
    with pytest.raises(DataError, match="sheet, row 1: there is no column label"):
        read_labels("code\nx\n", "sheet")
    with pytest.raises(DataError, match=r"row 2: the label must be.*\n.*row 4: code b occurs twice"):
        read_labels("code,label\na,nice\nb,hateful\nb,unclear\n", "sheet")
    assert read_labels("\ufeffcode,label\na,\nb,hateful\n", "sheet") == {"b": "hateful"}


def test_no_file_means_no_labels(tmp_path: Path) -> None:
    assert labels_of(tmp_path / "none.csv") == {}


def test_a_text_cannot_be_executed_by_a_spreadsheet(failing: Pairs) -> None:
    shown = [rows(failing, 1)[0]._replace(text="=1+1", prompt="@x")]
    [row] = csv.DictReader(io.StringIO(sheet(shown)))
    assert (row["prompt"], row["text"]) == ("'@x", "'=1+1")


def test_a_simulated_person_errs_at_the_declared_rate(failing: Pairs) -> None:
    shown = [rows(failing, 1)[0]._replace(code=str(number), text="A plain text.") for number in range(400)]
    assert set(adjudicate(shown, 0.0, 1).values()) == {"neutral mention"}
    wrong = sum(label != "neutral mention" for label in adjudicate(shown, 0.1, 1).values())
    assert 20 <= wrong <= 60
    assert set(adjudicate([row._replace(text="[severe] X.") for row in shown], 0.0, 1).values()) == {"hateful"}
