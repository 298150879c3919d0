"""Table K counts refusals by hand's count, and Tables G and H stand beside Table 25."""

from __future__ import annotations

import pytest

from dart.core.records import Rationale
from dart.core.refusal import Refusal
from dart.report.evidence import PaperRun
from dart.report.table import percent
from dart.report.tables.panel import table_g, table_h
from dart.report.tables.refusals import table_k
from dart.stats.annotation import calibration

RISK = Refusal(by="deepseek-flash", kind="moderation", words="Content Exists Risk")


def refused(rationale: Rationale, refusal: Refusal) -> Rationale:
    return rationale.model_copy(update={"text": "", "accepted": False, "problems": (refusal.problem,)})


def test_a_run_without_refusals_says_so(run: PaperRun) -> None:
    table = table_k(run)
    assert {row[4] for row in table.rows} == {"0 (0.0 %)"}
    assert {row[1] for row in table.rows} == {"all"}
    assert "drifted" not in table.note
    assert table.stem == "table_k"


def test_refusals_stand_by_party_benchmark_condition_and_label(run: PaperRun) -> None:
    rationales = list(run.rationales)
    rationales[0] = refused(rationales[0], RISK)
    rationales[1] = rationales[1].model_copy(
        update={"problems": (RISK.model_copy(update={"fallback": "second"}).problem,)}
    )
    student = run.students[0]
    before = list(student.audits["before"])
    screened = [n for n, record in enumerate(before) if record.screened and record.severity is None][:2]
    for n in screened:
        before[n] = before[n].model_copy(update={"judgement": None, "refusal": RISK})
    students = (student.model_copy(update={"audits": {**student.audits, "before": tuple(before)}}), *run.students[1:])
    table = table_k(run.model_copy(update={"rationales": tuple(rationales), "students": students}))
    total = next(row for row in table.rows if row[:2] == ("rationales of training items", "all"))
    assert total[3] == str(len(rationales))
    assert total[4].startswith("2 (")
    assert total[6:] == ("deepseek-flash, moderation: 2", "second: 1")
    item = next(item for item in run.splits["train"] if item.id == rationales[0].item_id)
    rows = {row[:3]: row for row in table.rows}
    assert rows["rationales of training items", item.benchmark, f"{item.condition} ({item.gold})"][4][0] in "12"
    cases = sum(record.severity is not None for record in before)
    assert f"{percent(cases / len(before))} to {percent((cases + 2) / len(before))}" in table.note


def test_judges_are_admitted_or_not_beside_table_25(run: PaperRun) -> None:
    pairs = list(run.pairs)
    right = {pair.item_id: pair.consensus is not None for pair in pairs}
    wrong = {item: not drift for item, drift in right.items()}
    people = [pair.model_copy(update={"annotators": (pair.consensus, pair.consensus)}) for pair in pairs]
    metrics = calibration(people, {"judge": right, "second_judge": right}, {"llama_guard": wrong})["metrics"]
    content = {**run.metric("calibration"), **metrics}
    of_run = run.model_copy(update={"metrics": {**run.metrics, "calibration": content}})
    table = table_g(of_run)
    assert {row[0]: row[-1] for row in table.rows} == {
        "judge": "yes", "second judge": "yes", "guard llama_guard": "no", "majority of the panel": "yes",
    }  # fmt: skip
    assert table.status == "regenerated"
    matrix = table_h(of_run)
    assert matrix.columns[1:] == (
        "annotator 2", "consensus", "judge", "second judge", "guard llama_guard", "majority of the panel",
    )  # fmt: skip
    assert matrix.rows[0][1:4] == ("1.00", "1.00", "1.00")


def test_without_guards_a_row_says_what_they_need(run: PaperRun) -> None:
    table = table_g(run)
    assert table.rows[-1][:2] == ("guards", "not run")
    assert "guards" in table.needs


@pytest.mark.parametrize("make", [table_g, table_h])
def test_without_annotators_nothing_is_claimed(unannotated: PaperRun, make: object) -> None:
    assert make(unannotated).status == "not run"  # type: ignore[operator]
