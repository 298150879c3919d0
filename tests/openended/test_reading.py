"""The second reading: what a reader sees, and the agreement computed by hand."""

from __future__ import annotations

import itertools
import re
from importlib.resources import files
from pathlib import Path

import pytest
from sklearn.metrics import cohen_kappa_score

from dart.core.errors import DataError
from dart.core.files import read_jsonl, write_jsonl
from dart.openended.questions import RETIRED, Question, load
from dart.openended.reading import (
    BlindedQuestion,
    Reading,
    RecordedReading,
    blinded,
    compare,
    compare_recorded,
    main,
    recorded_readings,
    summary,
    version,
)
from dart.stats.intervals import Interval


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


def test_the_reading_on_record_has_the_agreement_of_the_datasheet(questions: list[Question]) -> None:
    result = compare_recorded(questions, recorded_readings())
    text = " ".join((files("dart.openended") / "DATASHEET.md").read_text(encoding="utf-8").split())
    assert (result.n, result.disagreements) == (280, ("policy-058",))
    assert f"279 of the 280 labels were equal, {printed(result.same)}" in text
    assert f"kappa was {printed(result.kappa)} and that of the premise flags {printed(result.premise_kappa)}" in text
    assert f"{len(result.mended)} questions were mended and {len(result.dropped)} replaced" in text


def printed(interval: Interval) -> str:
    assert interval.estimate is not None
    assert interval.low is not None
    assert interval.high is not None
    return f"{interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def test_every_question_changed_after_the_reading_has_its_reason(questions: list[Question]) -> None:
    result = compare_recorded(questions, recorded_readings())
    text = (files("dart.openended") / "READING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z]+-\d{3})(?:, now ([a-z]+-\d{3}))? \| \S.*\|$", text, re.MULTILINE)
    assert sorted(old for old, new in rows if not new) == sorted(result.mended)
    assert sorted(old for old, new in rows if new) == sorted(result.dropped)
    assert sorted(new for _, new in rows if new) == sorted(result.unread)
    assert set(result.dropped) <= RETIRED


def test_a_change_of_what_the_reader_saw_is_a_mended_question(questions: list[Question]) -> None:
    record = [
        RecordedReading(
            id=question.id,
            label=question.gold,
            harmful_premise=question.harmful_premise,
            gold=question.gold,
            gold_premise=question.harmful_premise,
            version=version(question),
        )
        for question in questions
    ]
    changes = ({"question": "Is it?"}, {"place": "FR"}, {"as_of": "1999-01"}, {"rationale_note": "Not shown."})
    mended = [q.model_copy(update=change) for q, change in zip(questions, changes, strict=False)]
    result = compare_recorded([*mended, *questions[5:]], record)
    assert result.mended == tuple(question.id for question in questions[:3])
    assert result.dropped == (questions[4].id,)
    assert result.kappa.estimate == 1


def test_compare_without_a_file_prints_the_record(capsys: pytest.CaptureFixture[str]) -> None:
    main(["compare"])
    assert "279 of 280 labels agreed, 0.996 [" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["export"])
