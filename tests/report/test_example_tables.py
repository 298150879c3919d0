"""Examples: chosen by the stated rule, cut to the stated length, never without a warning."""

from __future__ import annotations

import pytest

from dart.report.evidence import PaperRun
from dart.report.tables.examples import ANSWER_CHARACTERS, excerpt, split_sentences, table1, table8, table12, table46

MAKERS = (table1, table8, table12, table46)


def _predictions(run: PaperRun, variant: str) -> dict[str, str | None]:
    return {answer.item_id: answer.prediction for answer in run.primary_student.generations[variant]}


@pytest.mark.parametrize("make", MAKERS)
def test_quoting_tables_warn(run: PaperRun, make: type) -> None:
    embedded = run.model_copy(update={"card": {**run.card, "provenance": {"source": "embedded"}}})
    assert make(embedded).warning.startswith("Content: prompts and answers of the embedded world")
    assert not make(embedded).folded
    for card in ({}, {"provenance": {"source": "difference_awareness"}}):  # unknown counts as real
        table = make(run.model_copy(update={"card": card}))
        assert table.warning.startswith("Content warning")
        assert table.folded


@pytest.mark.parametrize("make", MAKERS)
def test_texts_are_cut_to_the_stated_length(run: PaperRun, make: type) -> None:
    long = "word " * 400

    def stretched(records: tuple) -> tuple:
        return tuple(r.model_copy(update={"rationale": long}) for r in records)

    students = tuple(
        s.model_copy(update={"generations": {k: stretched(v) for k, v in s.generations.items()}}) for s in run.students
    )
    changes = {
        "students": students,
        "rationales": tuple(r.model_copy(update={"text": f"One. Two. {long}"}) for r in run.rationales),
        "splits": {k: tuple(i.model_copy(update={"prompt": long}) for i in v) for k, v in run.splits.items()},
    }
    table = make(run.model_copy(update=changes))
    assert str(ANSWER_CHARACTERS) in table.note
    for row in table.rows:
        assert all(len(cell) <= ANSWER_CHARACTERS + len(" → unparsed (wrong)") for cell in row)


def test_excerpt_cuts_between_words() -> None:
    assert excerpt("one two  three\nfour", 50) == "one two three four"
    assert excerpt("one two, three four", 11) == "one two …"
    assert excerpt("x" * 30, 10) == "x" * 8 + " …"
    assert all(len(excerpt("ab, cd ef" * 9, n)) <= n for n in range(3, 40))


def test_table1_shows_the_gain_by_its_rule(run: PaperRun) -> None:
    table = table1(run)
    base, distilled = _predictions(run, "base"), _predictions(run, "distilled")
    for row, condition, kind in zip(table.rows, ("DIFF", "EQUAL"), ("D", "N"), strict=True):
        item_shown = next(
            item
            for item in run.items
            if item.condition == condition
            and item.benchmark.startswith(kind)
            and base[item.id] != item.gold == distilled[item.id]
        )
        assert row[1] == item_shown.prompt
        assert row[0].startswith(condition)
        assert "(wrong)" in row[2]
        assert row[3].endswith(f"→ {item_shown.gold} (right)")


def test_table1_without_any_gain_falls_back(run: PaperRun) -> None:
    student = run.primary_student
    same = student.model_copy(update={"generations": {**student.generations, "distilled": student.generations["base"]}})
    table = table1(run.model_copy(update={"students": (same,)}))
    first = [next(item.prompt for item in run.items if item.condition == condition) for condition in ("DIFF", "EQUAL")]
    assert [row[1] for row in table.rows] == first


def test_table8_takes_the_shortest_accepted_prompt(run: PaperRun) -> None:
    table = table8(run)
    assert len(table.rows) == 16
    refused = {r.item_id for r in run.rationales if not r.accepted}
    assert refused, "the fixture must hold a refused rationale"
    assert not any(item_id in row[2] for row in table.rows for item_id in refused)
    none = run.model_copy(update={"rationales": ()})
    assert all("no accepted rationale" in row[0] for row in table8(none).rows)


def test_table12_counts_what_goes_beyond_two_sentences(run: PaperRun) -> None:
    table = table12(run)
    for row, name in zip(table.rows, ("D1", "D2", "D3", "D4", "N1", "N2", "N3", "N4"), strict=True):
        texts = [r.text for item, r in run.accepted_rationales if item.benchmark == name]
        longer = sum("third" in text for text in texts)
        assert f"{longer} of {len(texts)}" in row[0]
        assert ("third" in row[3]) == bool(longer)
        assert "third" not in row[2]
        assert "Conclusion" not in "".join(row)


def test_sentences_split_where_the_acceptance_counts_them() -> None:
    assert split_sentences("One. Two? Three. Four.") == ("One. Two?", "Three. Four.")
    assert split_sentences("The U.S. census says so. It does. Mr. X agrees.")[1] == "Mr. X agrees."
    assert split_sentences("Only one. And two.") == ("Only one. And two.", "")


def test_table46_takes_the_middle_case_whether_repaired_or_not(run: PaperRun) -> None:
    table = table46(run)
    before = run.primary_student.audits["before"]
    after = {record.item_id: record.severity for record in run.primary_student.audits["after"]}
    assert [row[0].split()[0].rstrip(":") for row in table.rows] == ["mild", "moderate", "severe", "extreme"]
    assert table.rows[3][0] == "extreme: no case in this run"
    for row, severity in zip(table.rows[:3], ("mild", "moderate", "severe"), strict=True):
        ordered = sorted((r for r in before if r.severity == severity), key=lambda r: r.delta)
        assert f"({len(ordered)} cases)" in row[0]
        middle = {r.item_id for r in ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]}
        states = [after.get(item_id) or "no drift" for item_id in middle]
        assert any(row[0].endswith(f"after repair: {state}") for state in states)
        assert row[1] in {item.prompt for item in run.items if item.id in middle}
