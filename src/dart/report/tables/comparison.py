"""Tables that set other training against the whole pipeline: 22 (harm of teacher and student), 24 (baselines).

Appendix K.4 and K.6. Both hold rows that the main path does not fill; where they did not run they say what they need.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from dart.core.records import AuditRecord, RegressionType
from dart.metrics.run import CONTROL, TEACHER, StudentRun
from dart.report import published
from dart.report.evidence import PaperRun
from dart.report.table import NONE, NOT_RUN, Row, Table, bounds, number, p_value, percent, ruled, signed
from dart.report.tables.ablation_cells import DEFAULT, entry, missing, needs
from dart.report.tables.ablation_cells import student as arm_student
from dart.report.tables.toxreg import toxicity_weights

HARM_TYPES: Mapping[RegressionType, str] = {
    "misses_real_harm": "misses real harm",
    "normalizes_bias": "normalizes bias",
    "harmful_reasoning": "harmful reasoning",
    "less_nuanced": "less nuanced",
}
_WRITERS: Mapping[str, str] = {
    TEACHER: "teacher",
    "before": "distilled",
    "after": "repaired",
    CONTROL: "control",
}
TOXIC = 0.5  # the classifier's own decision


def table22(run: PaperRun) -> Table:
    """Table 22: harm types by who wrote the rationale, and drift cases that are new or amplify the base's."""
    body = ruled(
        [_harm_row(run, student, when) for when in _WRITERS if when in student.audits or when != CONTROL]
        for student in run.students
    )
    new, of = published.NOVEL
    return Table(
        number="22",
        title="Harm types by writer, and novel against amplified drift",
        columns=(
            "Student", "Writer", "n", *HARM_TYPES.values(), "any", "Novel: H(base) < 0.5",
            "Novel: H(base) ≤ median", "Paper: any",
        ),
        rows=body.rows,
        rules=body.rules,
        note="Shares of the test prompts on which the judge, reading the rationale against base, confirmed a harm of "
        "this type. Novel: base was safe and the writer harmful; all other cases amplify. The paper does not say what "
        "makes a base rationale safe, so two readings stand side by side: the classifier calls it non-toxic, or it is "
        "no more toxic than the median base rationale of the test set. The paper: "
        f"{new} of {of} ({percent(new / of)}) novel.",
        needs="" if all(TEACHER in student.audits for student in run.students) else
        "the teacher's rationales are for training prompts, and no judge reads them; its row needs the teacher to "
        "explain the test prompts, audited against base (data/audit/<student>/teacher.jsonl).",
        simulated=run.simulated,
    )  # fmt: skip


def _harm_row(run: PaperRun, student: StudentRun, when: str) -> Row:
    writer = _WRITERS[when]
    paper = published.HARM_ANY.get(writer)
    last = NONE if paper is None else percent(paper)
    records = student.audits.get(when)
    if records is None:
        return (student.name, writer, *(NOT_RUN for _ in range(len(HARM_TYPES) + 4)), last)
    counts = Counter(r.judgement.regression_type for r in records if r.severity is not None and r.judgement is not None)
    cases = sum(record.severity is not None for record in records)
    return (
        student.name,
        writer,
        str(len(records)),
        *(_count(counts[kind], len(records)) for kind in HARM_TYPES),
        _count(cases, len(records)),
        *(_count(len(novel_cases(records, limit)), cases) for limit in (None, _typical(records))),
        last,
    )


def _count(count: int, n: int) -> str:
    return f"{count} ({percent(count / n)})" if n else NONE


def _typical(records: Sequence[AuditRecord]) -> float:
    return median(record.toxicity_base for record in records) if records else 0.0


def novel_cases(records: Sequence[AuditRecord], at_most: float | None) -> list[AuditRecord]:
    """Drift cases whose base rationale was safe: H(base) <= `at_most`, or below the classifier's 0.5 if None."""
    return [
        record
        for record in records
        if record.severity is not None
        and (record.toxicity_base < TOXIC if at_most is None else record.toxicity_base <= at_most)
    ]


def table24(run: PaperRun) -> Table:
    """Table 24: McNemar of the repaired student against each baseline."""
    size = published.BASELINE_COMPARISONS
    body = ruled(_baseline_rows(run, student, size) for student in run.students)
    absent = missing(run, _trained_baselines(run).values())
    return Table(
        number="24",
        title="The repaired student against each baseline",
        columns=(
            "Student", "Baseline", "n", "Acc. baseline", "Acc. repaired", "Δ [95 % CI]", "b / c", "p (exact)",
            f"p (Bonferroni, {size})",
        ),
        rows=body.rows,
        rules=body.rules,
        note="All test items, unparsed = wrong. b: baseline right, repaired wrong; c: the reverse. Exact McNemar; "
        f"Bonferroni over the paper's {size} comparisons for each student, whether they ran or not. Arms run on one "
        f"student ({arm_student(run).name}), so label-only and toxicity-regularised training have a row for that one. "
        "The control is ours (Stage I continued without repair rows) and outside the family. The paper: p < 1e-20 "
        f"against all but the distilled student, and not significant against that one. {_significant(run, size)}",
        needs=needs(absent),
        simulated=run.simulated,
    )  # fmt: skip


def _trained_baselines(run: PaperRun) -> Mapping[str, str]:
    """Baselines that are arms, by name in the table."""
    chosen = toxicity_weights(run).chosen or "toxreg_010"
    return {"label-only SFT": "label_only", "toxicity-regularised SFT": chosen}


def _baseline_rows(run: PaperRun, student: StudentRun, size: int) -> list[Row]:
    rows = [
        _test_row(run, student, "base", "base_repaired", size),
        _test_row(run, student, "distilled (Stage I)", "distilled_repaired", size),
    ]
    if student.slot == arm_student(run).slot:
        rows += [_arm_row(run, student, shown, name, size) for shown, name in _trained_baselines(run).items()]
    if CONTROL in student.variants:
        rows.append(_test_row(run, student, "control (ours)", f"{CONTROL}_repaired", None))
    return rows


def _arm_row(run: PaperRun, student: StudentRun, shown: str, name: str, size: int) -> Row:
    found, default = entry(run, name), entry(run, DEFAULT)
    if found is None or default is None:
        return (student.name, shown, *(NOT_RUN,) * 7)
    test = found["against_default"]["decision"]["overall"]  # arm - repaired; this table shows repaired - arm
    change = test["difference"]
    low, high = change["ci"]
    return (
        student.name,
        shown,
        str(found["n"]),
        number(found["decision"]["accuracy"]),
        number(default["decision"]["accuracy"]),
        f"{signed(-change['estimate'])} {bounds((-high, -low))}",
        f"{test['only_arm']} / {test['only_default']}",
        p_value(test["p"]),
        p_value(min(1.0, size * test["p"])),
    )


def _significant(run: PaperRun, size: int) -> str:
    """For which baselines of the arms' student the repaired one is surely better in this run, and surely worse."""
    slot = arm_student(run).slot
    tests: dict[str, tuple[float, float]] = {}  # p, difference repaired - baseline
    for shown, comparison in (("base", "base_repaired"), ("distilled", "distilled_repaired")):
        found = run.metric("tests", "students", slot, comparison, "decision", "overall")
        tests[shown] = found["mcnemar"]["p_exact"], found["accuracy_difference"]["estimate"]
    for shown, name in _trained_baselines(run).items():
        if (arm := entry(run, name)) is not None:
            test = arm["against_default"]["decision"]["overall"]
            tests[shown] = test["p"], -test["difference"]["estimate"]
    better = [shown for shown, (p, change) in tests.items() if size * p < 0.05 and change > 0]
    worse = [shown for shown, (p, change) in tests.items() if size * p < 0.05 and change < 0]
    text = f"Here the repaired {arm_student(run).name} is significantly better than {', '.join(better) or 'none'}"
    return f"{text}{' and worse than ' + ', '.join(worse) if worse else ''}."


def _test_row(run: PaperRun, student: StudentRun, name: str, comparison: str, size: int | None) -> Row:
    entry: Mapping[str, Any] = run.metric("tests", "students", student.slot, comparison, "decision", "overall")
    test, difference = entry["mcnemar"], entry["accuracy_difference"]
    return (
        student.name,
        name,
        str(entry["n"]),
        number(entry["accuracy_base"]),
        number(entry["accuracy_other"]),
        f"{signed(difference['estimate'])} {bounds(difference['ci'])}",
        f"{test['b']} / {test['c']}",
        p_value(test["p_exact"]),
        NONE if size is None else p_value(min(1.0, size * test["p_exact"])),
    )
