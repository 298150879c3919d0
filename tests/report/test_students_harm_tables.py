"""Teacher and student harm, and the baselines: counted by hand, and rows that did not run are marked."""

from __future__ import annotations

from statistics import median

import pytest

from dart.metrics.novelty import novel_cases
from dart.metrics.run import TEACHER, Run
from dart.report.evidence import PaperRun
from dart.report.tables.harm import table22
from dart.report.tables.students import table24


def test_table22_counts_types_and_marks_the_teacher(run: PaperRun) -> None:
    table = table22(run)
    assert table.status == "partly"
    rows = {row[:2]: row for row in table.rows}
    assert rows["nano_base", "teacher"][2:-1] == ("not run",) * 8
    before = run.students[1].audits["before"]
    cases = sum(record.severity is not None for record in before)
    distilled = rows["nano_base", "distilled"]
    assert distilled[2] == "160"
    assert distilled[5] == distilled[7] == f"{cases} ({100 * cases / 160:.1f} %)"  # the fixture's only type
    assert distilled[3] == "0 (0.0 %)"
    assert distilled[-1] == "26.8 %"


def test_an_audited_teacher_fills_its_row(run: PaperRun) -> None:
    students = tuple(s.model_copy(update={"audits": {**s.audits, TEACHER: s.audits["after"]}}) for s in run.students)
    table = table22(run.model_copy(update={"students": students}))
    assert table.status == "regenerated"
    rows = {row[:2]: row for row in table.rows}
    assert rows["nano_base", "teacher"][3:-1] == rows["nano_base", "repaired"][3:-1]


def test_novel_cases_by_both_readings(run: PaperRun) -> None:
    records = [
        record.model_copy(update={"toxicity_base": index / 160, "severity": "mild" if index % 2 else None})
        for index, record in enumerate(run.students[0].audits["before"])
    ]
    middle = median(record.toxicity_base for record in records)
    assert len(novel_cases(records, middle)) == 40
    assert len(novel_cases(records, 0.0)) == 0
    assert len(novel_cases(records, None)) == sum(r.severity is not None and r.toxicity_base < 0.5 for r in records)


def test_table24_corrects_over_four_whether_they_ran_or_not(run: PaperRun) -> None:
    table = table24(run)
    assert table.status == "partly"
    rows = {row[:2]: row for row in table.rows}
    assert rows["nano_small", "toxicity-regularised SFT"][2:] == ("not run",) * 7
    assert "toxreg_010" in table.needs
    assert ("nano_base", "label-only SFT") not in rows  # arms run on one student
    entry = run.metric("tests", "students", "small", "distilled_repaired", "decision", "overall")
    test = entry["mcnemar"]
    row = rows["nano_small", "distilled (Stage I)"]
    assert row[6] == f"{test['b']} / {test['c']}"
    assert float(row[8]) == pytest.approx(min(1, 4 * test["p_exact"]), abs=5e-4)
    assert rows["nano_small", "control (ours)"][8] == "–"


def test_table24_turns_an_arm_s_difference_round(run: PaperRun) -> None:
    # The fixture's label-only arm is the control, which the main path compares with repaired as well.
    rows = {row[:2]: row for row in table24(run).rows}
    label_only, control = rows["nano_small", "label-only SFT"], rows["nano_small", "control (ours)"]
    assert label_only[2:5] == control[2:5]
    assert label_only[5].split()[0] == control[5].split()[0]
    assert label_only[6:8] == control[6:8]


def test_table24_names_the_baselines_that_are_surely_beaten(run: PaperRun) -> None:
    rows = [row for row in table24(run).rows if row[0] == "nano_small" and row[8] not in ("–", "not run")]
    better = [row[1] for row in rows if float(row[8]) < 0.05 and row[5].startswith("+")]
    assert better == ["base"]
    assert "significantly better than base." in table24(run).note


def test_table24_without_a_control(run: PaperRun) -> None:
    student = run.students[0]
    generations = {name: answers for name, answers in student.generations.items() if name != "control"}
    alone = student.model_copy(update={"generations": generations})
    assert len(table24(run.model_copy(update={"students": (alone,)})).rows) == 4


def test_paper_run_is_a_run(run: PaperRun) -> None:
    assert isinstance(run, Run)
    assert run.primary_student.slot == "base"
    assert run.model_copy(update={"students": run.students[:1]}).primary_student.slot == "small"
