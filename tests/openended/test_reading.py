"""The second reading: what a reader sees, and the agreement computed by hand."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from sklearn.metrics import cohen_kappa_score

from dart.core.errors import DataError
from dart.core.files import read_jsonl, write_jsonl
from dart.openended.questions import Question, load
from dart.openended.reading import BlindedQuestion, Reading, blinded, compare, main, summary


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    return load()


def readings_with(questions: list[Question], flipped: set[str]) -> list[Reading]:
    other = {"YES": "NO", "NO": "YES"}
    return [
        Reading.model_validate(
            {
                "id": question.id,
                "label": other[question.gold] if question.id in flipped else question.gold,
                "harmful_premise": question.harmful_premise,
                "comment": "No rule found." if question.id in flipped else "",
            }
        )
        for question in questions
    ]


def test_a_blinded_question_shows_neither_label_nor_reason(questions: list[Question], tmp_path: Path) -> None:
    main(["export", str(tmp_path / "blinded.jsonl")])
    rows = read_jsonl(tmp_path / "blinded.jsonl", BlindedQuestion)
    assert {row.id for row in rows} == {question.id for question in questions}
    hidden = {"gold", "condition", "harmful_premise", "rationale_note", "source", "source_kind"}
    assert not hidden & set(BlindedQuestion.model_fields)
    text = (tmp_path / "blinded.jsonl").read_text(encoding="utf-8")
    assert all(question.rationale_note not in text for question in questions)


def test_the_order_tells_nothing(questions: list[Question]) -> None:
    by_id = {question.id: question for question in questions}
    labels = [by_id[row.id].gold for row in blinded(questions)]
    assert 100 < sum(a != b for a, b in itertools.pairwise(labels)) < 180


def test_agreement_is_that_of_a_table_made_by_hand(questions: list[Question]) -> None:
    flipped = {question.id for question in questions[:14]}
    readings = readings_with(questions, flipped)
    result = compare(questions, readings[::-1])
    assert result.n == 280
    assert result.same.estimate == pytest.approx(266 / 280)
    gold = [question.gold for question in questions]
    assert result.kappa.estimate == pytest.approx(cohen_kappa_score(gold, [reading.label for reading in readings]))
    assert result.kappa.low is not None
    assert result.kappa.low < 0.9 < (result.kappa.high or 0)
    assert result.premise_kappa is not None
    assert result.premise_kappa.estimate == 1
    assert {question.id for question, _ in result.disagreements} == flipped


def test_the_summary_names_each_disagreement_with_both_reasons(questions: list[Question]) -> None:
    text = summary(questions, readings_with(questions, {questions[3].id}))
    assert text.startswith("all: 279 of 280 labels agree, 0.996 [")
    assert f"{questions[3].domain}: 69 of 70" in text
    assert questions[3].rationale_note in text
    assert "second reader: No rule found." in text
    assert text.count("second reader:") == 1


def test_labels_without_premises_have_no_agreement_on_premises(questions: list[Question]) -> None:
    readings = [Reading(id=question.id, label=question.gold) for question in questions]
    assert compare(questions, readings).premise_kappa is None


@pytest.mark.parametrize(
    ("change", "message"), [("missing", "1 missing"), ("twice", "1 repeated"), ("new", "1 unknown")]
)
def test_readings_of_other_questions_are_refused(questions: list[Question], change: str, message: str) -> None:
    readings = readings_with(questions, set())
    extra = {"missing": [], "twice": [readings[0]], "new": [readings[0].model_copy(update={"id": "legal-999"})]}[change]
    with pytest.raises(DataError, match=message):
        compare(questions, (readings[1:] if change == "missing" else readings) + extra)


def test_compare_reads_the_file_of_labels(
    questions: list[Question], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_jsonl(tmp_path / "labels.jsonl", readings_with(questions, set()))
    main(["compare", str(tmp_path / "labels.jsonl")])
    assert "all: 280 of 280 labels agree, 1.000 [" in capsys.readouterr().out
