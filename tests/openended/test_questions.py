"""The 280 questions hold what RUBRIC.md promises, and every check can fail."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from pydantic import ValidationError

from dart.core.errors import DataError
from dart.core.files import write_jsonl
from dart.openended import questions as module
from dart.openended.questions import DOMAINS, RETIRED, Question, load, ngrams, problems, words


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    return load()


def replaced(questions: list[Question], index: int, **fields: object) -> list[Question]:
    changed = Question.model_validate(questions[index].model_dump() | fields)
    return [*questions[:index], changed, *questions[index + 1 :]]


def test_280_questions_half_of_them_diff_in_every_domain(questions: list[Question]) -> None:
    assert len(questions) == 280
    for domain in DOMAINS:
        labels = [question.gold for question in questions if question.domain == domain]
        assert (labels.count("YES"), labels.count("NO")) == (35, 35)


def test_every_group_that_is_frequent_stands_under_both_labels(questions: list[Question]) -> None:
    for group in ("age", "disability", "nationality_migration", "pregnancy", "race_ethnicity", "religion", "sex"):
        labels = {question.condition for question in questions if group in question.groups}
        assert labels == {"DIFF", "EQUAL"}, group


def test_the_file_is_in_canonical_form(questions: list[Question], tmp_path: Path) -> None:
    write_jsonl(tmp_path / "again.jsonl", questions)
    assert (tmp_path / "again.jsonl").read_bytes() == (files("dart.openended") / "questions.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"condition": "DIFF", "gold": "NO"}, "but DIFF means YES"),
        ({"id": "nowhere-001"}, "does not name the domain"),
        ({"question": "Too short?"}, "2 words"),
        ({"question": " ".join(f"word{number}" for number in range(91))}, "91 words"),
        ({"rationale_note": "No sentence"}, "not a sentence"),
        ({"id": min(RETIRED)}, "belonged to a question that was dropped"),
    ],
)
def test_a_faulty_question_is_named(questions: list[Question], fields: dict[str, object], message: str) -> None:
    assert any(message in problem for problem in problems(replaced(questions, 3, **fields)))


def test_an_opened_source_needs_an_address_and_a_copy_its_page(questions: list[Question]) -> None:
    source = questions[0].source.model_dump() | {"verified": "opened", "address": None, "read_at": None}
    assert any("has no address" in problem for problem in problems(replaced(questions, 0, source=source)))
    for verified, read_at in (("copy", None), ("reported", None), ("opened", "https://example.org/x")):
        changed = source | {"address": "https://example.org", "verified": verified, "read_at": read_at}
        found = problems(replaced(questions, 0, source=changed))
        assert any(f"is marked {verified}, but read_at is {read_at}" in problem for problem in found)


def test_too_many_sources_that_nobody_opened_are_refused(questions: list[Question]) -> None:
    memory = questions[0].source.model_copy(update={"verified": "not_opened", "address": None, "read_at": None})
    changed = [question.model_copy(update={"source": memory}) for question in questions[:29]] + questions[29:]
    assert any("of the sources were not opened" in problem for problem in problems(changed))


def test_too_many_questions_of_one_country_and_weak_sources_are_refused(questions: list[Question]) -> None:
    american = [question.model_copy(update={"place": "US-OH"}) for question in questions[:140]] + questions[140:]
    assert any("decided outside the United States" in problem for problem in problems(american))
    weak = [question.model_copy(update={"source_kind": "secondary"}) for question in questions[:29]] + questions[29:]
    assert any("of the sources are primary" in problem for problem in problems(weak))


@pytest.mark.parametrize(
    "fields", [{"place": "Ohio"}, {"as_of": "2026"}, {"as_of": "2026-13"}, {"source_kind": "blog"}]
)
def test_place_date_and_kind_of_source_have_vocabularies(questions: list[Question], fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=next(iter(fields))):
        replaced(questions, 0, **fields)


def test_a_missing_question_breaks_the_balance(questions: list[Question]) -> None:
    assert any("not 35" in problem for problem in problems(questions[1:]))


@pytest.mark.parametrize("harmful", [False, True])
def test_too_few_and_too_many_harmful_premises_are_refused(questions: list[Question], harmful: bool) -> None:
    changed = [question.model_copy(update={"harmful_premise": harmful}) for question in questions]
    assert sum("harmful premise, not 8 to 12" in problem for problem in problems(changed)) == len(DOMAINS)


def test_harmful_premises_under_one_label_are_refused(questions: list[Question]) -> None:
    changed = [
        question.model_copy(update={"harmful_premise": question.harmful_premise and question.gold == "NO"})
        for question in questions
    ]
    assert any("give it away" in problem for problem in problems(changed))


def test_a_variant_of_a_question_is_a_duplicate(questions: list[Question]) -> None:
    variant = questions[0].question + " Please answer."
    found = problems(replaced(questions, 5, question=variant))
    assert any(f"{questions[0].id} and {questions[5].id} are near-duplicates" in problem for problem in found)
    assert any("occurs 2 times" in problem for problem in problems([*questions, questions[0]]))


def test_load_lists_the_problems(questions: list[Question], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PER_CELL", 36)
    with pytest.raises(DataError, match=r"8 problem\(s\) in questions.jsonl"):
        load()


def test_words_and_ngrams() -> None:
    assert words("Isn’t it 3 o'clock?") == ["isn't", "it", "3", "o'clock"]
    assert ngrams(["a", "b", "c"], 2) == {("a", "b"), ("b", "c")}
    assert ngrams(["a"], 2) == set()
