"""Teacher and student harm, and the baselines: counted by hand, and rows that did not run are marked."""

from __future__ import annotations

import json
from statistics import median

import pytest

from dart.metrics.novelty import novel_cases
from dart.metrics.registry import main_p
from dart.metrics.run import TEACHER, Run
from dart.report.cells import difference
from dart.report.evidence import PaperRun
from dart.report.table import p_value
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
    assert rows["nano_small", "toxicity-regularised SFT"][2:] == ("not run",) * 9
    assert "toxreg_010" in table.needs
    assert ("nano_base", "label-only SFT") not in rows  # arms run on one student
    entry = run.metric("tests", "students", "small", "distilled_repaired", "decision", "overall")
    test = entry["mcnemar"]
    row = rows["nano_small", "distilled (Stage I)"]
    assert row[8] == f"{test['b']} / {test['c']}"
    assert float(row[10]) == pytest.approx(min(1, 4 * test["p_exact"]), abs=5e-4)
    assert rows["nano_small", "control (ours)"][10] == "–"


def test_table24_turns_an_arm_s_difference_round(run: PaperRun) -> None:
    # The fixture's label-only arm is the control, which the main path compares with repaired as well.
    rows = {row[:2]: row for row in table24(run).rows}
    label_only, control = rows["nano_small", "label-only SFT"], rows["nano_small", "control (ours)"]
    assert label_only[4] == control[4]
    assert label_only[7].split()[0] == control[7].split()[0]
    assert label_only[8:10] == control[8:10]
    arm = run.metric("arms", "arms", "label_only", "against_seeds", "accuracy")
    assert float(label_only[5].split()[0].replace("−", "-")) == pytest.approx(-arm["estimate"], abs=5e-4)


def test_table24_is_over_seeds(run: PaperRun) -> None:
    rows = {row[:2]: row for row in table24(run).rows}
    entry = run.metric("seeds", "students", "base", "contrasts", "control_repaired", "accuracy")
    control = rows["nano_base", "control (ours)"]
    assert control[5] == difference(entry)
    assert control[6] == p_value(main_p(run.metrics)["Table 24: base, control"])


def test_table24_names_the_baselines_that_are_beaten_by_the_corrected_test(run: PaperRun) -> None:
    metrics = json.loads(json.dumps(run.metrics))
    contrasts = metrics["seeds"]["students"]["small"]["contrasts"]
    for contrast in contrasts.values():
        contrast["accuracy"]["p"] = 0.5
    assert "significantly better than none." in table24(run.model_copy(update={"metrics": metrics})).note
    contrasts["base_repaired"]["accuracy"]["p"] = 1e-9
    assert "significantly better than base." in table24(run.model_copy(update={"metrics": metrics})).note


def test_table24_without_a_control(run: PaperRun) -> None:
    student = run.students[0]
    generations = {name: answers for name, answers in student.generations.items() if name != "control"}
    alone = student.model_copy(update={"generations": generations})
    assert len(table24(run.model_copy(update={"students": (alone,)})).rows) == 4


def test_paper_run_is_a_run(run: PaperRun) -> None:
    assert isinstance(run, Run)
    assert run.primary_student.slot == "base"
    assert run.model_copy(update={"students": run.students[:1]}).primary_student.slot == "small"
