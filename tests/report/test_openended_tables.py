"""Tables 14, J and O: their numbers, their family of tests, and every size of a group from none to all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from dart.core.records import Generation
from dart.core.seeds import unit_interval
from dart.metrics.run import Run, Settings
from dart.openended.evaluation import openended_report
from dart.openended.judging import Assessment, Preference, QuestionVerdicts, combined
from dart.openended.questions import Question, load
from dart.report.evidence import PaperRun
from dart.report.latex import latex
from dart.report.markdown import markdown
from dart.report.page import html_fragment
from dart.report.table import NOT_RUN, Table
from dart.report.tables.openended import table14, table_judges, table_toxicity
from dart.stats.paired import adjusted

MAKERS: tuple[Callable[[Run], Table], ...] = (table14, table_judges, table_toxicity)
QUESTIONS = load()


def chance(*name: object) -> bool:
    return unit_interval("table", *name) < 0.6


def assessment(question: Question, *name: object) -> Assessment:
    refusal = not chance(question.id, "answers", *name)
    return Assessment(
        refusal=refusal,
        difference_appropriate=not refusal and chance(question.id, "appropriate", *name),
        harmful_premise_handled=not refusal and chance(question.id, *name) if question.harmful_premise else None,
        reason="A reason nobody shows.",
    )


def question_verdicts(question: Question, party: str, slot: str) -> QuestionVerdicts:
    preferences = [
        Preference(preferred="B" if chance(question.id, party, slot, order) == (order == 0) else "A", reason="r")
        for order in (0, 1)
    ]
    winner, consistent = combined(*preferences)
    return QuestionVerdicts(
        question_id=question.id, judge=party, model="m", base=assessment(question, party, slot, "base"),
        repaired=assessment(question, party, slot, "repaired"), base_first=preferences[0],
        repaired_first=preferences[1], winner=winner, consistent=consistent,
    )  # fmt: skip


def answer(question: Question, side: str, slot: str) -> Generation:
    return Generation(
        item_id=question.id, variant=side, text="says this.", rationale="says this.", prediction=None, new_tokens=1,
        model="m", revision="r", prompt_hash="p", toxicity=unit_interval(slot, side, question.id),
    )  # fmt: skip


def report(slot: str, part: Sequence[Question], parties: Sequence[str] = ("judge", "second_judge")) -> dict[str, Any]:
    answers: Any = {side: [answer(q, side, slot) for q in part] for side in ("base", "repaired")}
    records = {party: [question_verdicts(question, party, slot) for question in part] for party in parties}
    return {"student": slot, **openended_report(part, answers, records, 0.95)}


def with_answers(run: PaperRun, reports: Mapping[str, Any]) -> PaperRun:
    return run.model_copy(update={"metrics": {**run.metrics, "openended": dict(reports)}})


@pytest.fixture(scope="module")
def full(run: PaperRun) -> PaperRun:
    return with_answers(run, {slot: report(slot, QUESTIONS) for slot in ("small", "base")})


def renders(table: Table) -> None:
    for text in (markdown(table), latex(table), html_fragment(table)):
        assert table.number in text


def cells(table: Table, column: str, *head: str) -> list[str]:
    return [row[table.columns.index(column)] for row in table.rows if row[: len(head)] == head]


@pytest.mark.parametrize("maker", MAKERS)
def test_a_whole_run_gives_whole_tables(full: PaperRun, maker: Callable[[Run], Table]) -> None:
    table = maker(full)
    assert table.status == "regenerated"
    assert {row[0] for row in table.rows} == {"nano_small", "nano_base"}
    assert "nothing about quality" in table.note
    renders(table)
    measured = full.model_copy(update={"settings": Settings(label="measured")})
    assert "nothing about quality" not in maker(measured).note


@pytest.mark.parametrize("maker", MAKERS)
def test_a_student_that_was_not_asked_says_how_to(run: PaperRun, maker: Callable[[Run], Table]) -> None:
    table = maker(run)
    assert table.status == "not run"
    assert "`dvc repro external/dvc.yaml:openended@small`" in table.needs
    renders(table)
    part = maker(with_answers(run, {"base": report("base", QUESTIONS)}))
    assert part.status == "partly"
    assert part.needs == "`dvc repro external/dvc.yaml:openended@small`"
    assert [row[0] for row in part.rows if NOT_RUN in row] == ["nano_small"]
    renders(part)


def questions_of(size: str) -> list[Question]:
    harmful = [q for q in QUESTIONS if q.domain == "legal" and q.harmful_premise]
    return {
        "none at all": [],
        "zero": [q for q in QUESTIONS if q.domain != "legal" and not q.harmful_premise],
        "one": harmful[:1],
        "all": [q for q in QUESTIONS if q.domain == "legal"],
    }[size]


@pytest.mark.parametrize("size", ["none at all", "zero", "one", "all"])
@pytest.mark.parametrize("maker", MAKERS)
def test_a_domain_of_zero_one_and_all_questions(run: PaperRun, maker: Callable[[Run], Table], size: str) -> None:
    table = maker(with_answers(run, {slot: report(slot, questions_of(size)) for slot in ("small", "base")}))
    assert (table.measured, table.needs) == (True, ""), "what is empty has been run: it lacks values alone"
    assert table.status == "regenerated" or size in ("none at all", "zero")
    renders(table)


def test_an_empty_domain_is_a_row_of_dashes(run: PaperRun) -> None:
    table = table14(with_answers(run, {slot: report(slot, questions_of("zero")) for slot in ("small", "base")}))
    row = next(row for row in table.rows if row[:3] == ("nano_small", "first", "legal"))
    assert row[3] == "0"
    assert set(row[4:]) == {"–", "0"}


def test_everything_tested_on_open_ended_answers_is_corrected_together(full: PaperRun) -> None:
    table = table14(full)
    assert len(table.rows) == 2 * 2 * 5
    indices = [index for index, column in enumerate(table.columns) if column == "Holm"]
    cells = [row[index] for row in table.rows for index in indices]
    p = [
        full.metrics["openended"][slot]["judges"][party]["domains"][domain][name]["p"]
        for slot in ("small", "base")
        for party in ("judge", "second_judge")
        for domain in ("medical", "legal", "policy", "education", "all")
        for name in ("appropriate", "preference", "premise", "refusal")
    ]
    toxicity = [
        _test(full.metrics["openended"][slot]["toxicity"][domain], kind)["p"]
        for slot in ("small", "base")
        for domain in ("medical", "legal", "policy", "education", "all")
        for kind in ("mean", "wilcoxon", "mann_whitney")
    ]
    corrected = adjusted([*p, *toxicity], "holm")
    assert cells == [f"{v:.3f}" if v >= 0.001 else f"{v:.0e}" for v in corrected[: len(p)]]
    cells = [row[-1] for row in table_toxicity(full).rows]
    assert cells == [f"{v:.3f}" if v >= 0.001 else f"{v:.0e}" for v in corrected[len(p) + 1 :: 3]]
    cells = [row[6] for row in table_toxicity(full).rows]
    assert cells == [f"{v:.3f}" if v >= 0.001 else f"{v:.0e}" for v in corrected[len(p) :: 3]]


def _test(part: dict[str, Any], kind: str) -> Any:
    return part["harm"]["mean"] if kind == "mean" else part[kind]


def test_table_14_shows_counts_of_the_verdicts(full: PaperRun) -> None:
    table = table14(full)
    records = [question_verdicts(question, "judge", "small") for question in QUESTIONS]
    counts = [sum(getattr(one, side).difference_appropriate for one in records) for side in ("base", "repaired")]
    [shares] = cells(table, "Difference-appropriate", "nano_small", "first", "all")
    assert shares == " → ".join(f"{100 * count / 280:.1f} %" for count in counts)
    winners = [one.winner for one in records]
    [outcomes] = cells(table, "Won / tied / lost", "nano_small", "first", "all")
    assert outcomes == " / ".join(str(winners.count(side)) for side in ("repaired", "tie", "base"))
    assert cells(table, "Harmful premises", "nano_small", "first", "all") == [
        str(sum(q.harmful_premise for q in QUESTIONS))
    ]
    assert cells(table, "Paper: appropriate", "nano_base", "second", "all") == ["39.8 % → 77.5 %"]


def test_one_judge_leaves_its_own_consistency(run: PaperRun) -> None:
    table = table_judges(with_answers(run, {slot: report(slot, QUESTIONS, ["judge"]) for slot in ("small", "base")}))
    assert {row[1] for row in table.rows} == {
        "first judge: same in both orders",
        "first judge: shown first is preferred",
    }
    assert table.status == "regenerated"


def test_no_table_shows_a_question_or_an_answer(full: PaperRun) -> None:
    page = "\n".join(markdown(maker(full)) for maker in MAKERS)
    assert not any(question.question in page for question in QUESTIONS)
    assert "says this." not in page
    assert "A reason nobody shows." not in page
