"""Tables by benchmark and student: 13 (benchmarks), 15 (students), 16 (effect sizes), 24 (against each baseline).

Appendices H, I, J and K.6; numbers from metrics/decision.json, tests.json and arms.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dart.metrics.run import CONTROL, STAGES, Run, StudentRun
from dart.report import published
from dart.report.ablation_entries import (
    DEFAULT,
    ablation_student,
    entry,
    missing,
    needs,
    toxicity_weights,
)
from dart.report.blocks import Maker, base_repaired
from dart.report.cells import (
    difference,
    paper_sides,
)
from dart.report.evidence import PaperRun
from dart.report.table import NONE, NOT_RUN, Row, Table, bounds, number, p_value, percent, ruled, signed
from dart.stats.decision import benchmarks_of


def table13(run: Run) -> Table:
    """Table 13: parsed-only accuracy by benchmark at the three stages."""
    body = ruled(_table13_rows(run, student) for student in run.students)
    return Table(
        number="13",
        title="Accuracy by benchmark, parsed answers only",
        columns=("Student", "Benchmark", "n", "parsed by base", "Base", "Distilled", "Repaired", "Δ (base → repaired)"),
        rows=body.rows,
        rules=body.rules,
        note="D and N averages are unweighted means over benchmarks. The paper reports +3.9 points on D1, +28.7 on D4 "
        "and .995 on N1 and N2 (Llama-3-8B); N1 and N2 are decided by their wording alone.",
        simulated=run.simulated,
    )


def _table13_rows(run: Run, student: StudentRun) -> list[Row]:
    rows = []
    names = benchmarks_of(run.items)
    decision = run.metric("decision", student.slot)
    by_benchmark = {stage: decision[stage]["by_benchmark"] for stage in STAGES}
    for name in names:
        values = {stage: by_benchmark[stage][name]["accuracy_parsed"] for stage in by_benchmark}
        n, parsed = (str(by_benchmark["base"][name][key]) for key in ("n", "n_parsed"))
        rows.append(_table13_row(student, run.benchmark_name(name), n, parsed, values))
    for letter, label in (("D", "D average"), ("N", "N average"), ("", "Overall (parsed)")):
        if letter:
            means = {
                s: _mean([by_benchmark[s][n]["accuracy_parsed"] for n in names if n.startswith(letter)])
                for s in by_benchmark
            }
        else:
            means = {stage: decision[stage]["accuracy_parsed"] for stage in by_benchmark}
        rows.append(_table13_row(student, label, "", "", means))
    return rows


def _table13_row(student: StudentRun, label: str, n: str, parsed: str, values: Mapping[str, float | None]) -> Row:
    base, repaired = values["base"], values["repaired"]
    change = None if base is None or repaired is None else repaired - base
    return (
        student.name,
        label,
        n or NONE,
        parsed or NONE,
        number(base),
        number(values["distilled"]),
        number(repaired),
        signed(change),
    )


def _mean(values: list[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers else None


def table15(run: Run) -> Table:
    """Table 15: accuracy, EQUAL accuracy and audited drift of every student."""
    rows: list[Row] = []
    for student in run.students:
        base, repaired = (run.metric("decision", student.slot, stage) for stage in ("base", "repaired"))
        drift = run.metric("drift", student.slot)
        paper = published.TABLE_2_ACCURACY.get(student.slot)
        rows.append(
            (
                student.name,
                f"{number(base['accuracy'])} → {number(repaired['accuracy'])}",
                f"{number(base['equal_accuracy'])} → {number(repaired['equal_accuracy'])}",
                f"{number(base['parse_rate'])} → {number(repaired['parse_rate'])}",
                f"{drift['before']['total']} → {drift['after']['total']}",
                percent(None if drift["reduction"] is None else -drift["reduction"], sign=True),
                NONE if paper is None else paper_sides(published.TABLE_2_ACCURACY, student.slot, "overall"),
            )
        )
    return Table(
        number="15",
        title="The whole pipeline by student",
        columns=("Student", "Accuracy", "EQUAL", "Parse", "Drift cases", "Change", "Paper's accuracy"),
        rows=tuple(rows),
        note="Base to repaired; drift cases: base against distilled, base against repaired, as audited. The change is "
        "net of new cases; compare Table A. The paper's drift reductions are 65.8-74.1 %.",
        simulated=run.simulated,
    )


def table16(run: Run) -> Table:
    """Table 16: effect sizes under their standard names."""
    body = ruled(
        [
            _table16_row(student, row, entry)
            for row in ("overall", "DIFF", "EQUAL")
            if (entry := base_repaired(run, student, row)) is not None
        ]
        for student in run.students
    )
    return Table(
        number="16",
        title="Effect sizes of base against repaired",
        columns=("Student", "Row", "n", "b", "c", "Accuracy difference [95 % CI]", "Cohen's g", "p (exact, raw)"),
        rows=body.rows,
        rules=body.rules,
        note="b: base right, repaired wrong; c: base wrong, repaired right. The paper's g = abs(b - c) / n is an "
        "accuracy difference and is shown as one; Cohen's g = max(b, c) / (b + c) - 0.5 cannot exceed 0.5.",
        simulated=run.simulated,
    )


def _table16_row(student: StudentRun, row: str, entry: Mapping[str, Any]) -> Row:
    test = entry["mcnemar"]
    return (
        student.name,
        row,
        str(entry["n"]),
        str(test["b"]),
        str(test["c"]),
        difference(entry["accuracy_difference"]),
        number(entry["cohens_g"]),
        p_value(test["p_exact"]),
    )


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
        f"student ({ablation_student(run).name}), so label-only and toxicity-regularised training have a row for that "
        "one. The control is ours (Stage I continued without repair rows) and outside the family. The paper: p < 1e-20 "
        f"against all but the distilled student, and not significant against that one. {_significance_note(run, size)}",
        needs=needs(run, absent),
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
    if student.slot == ablation_student(run).slot:
        rows += [_arm_row(run, student, label, name, size) for label, name in _trained_baselines(run).items()]
    if CONTROL in student.variants:
        rows.append(_test_row(run, student, "control (ours)", f"{CONTROL}_repaired", None))
    return rows


def _arm_row(run: PaperRun, student: StudentRun, label: str, name: str, size: int) -> Row:
    metrics, default = entry(run, name), entry(run, DEFAULT)
    if metrics is None or default is None:
        return (student.name, label, *(NOT_RUN,) * 7)
    test = metrics["against_default"]["decision"]["overall"]  # arm - repaired; this table shows repaired - arm
    change = test["difference"]
    low, high = change["ci"]
    return (
        student.name,
        label,
        str(metrics["n"]),
        number(metrics["decision"]["accuracy"]),
        number(default["decision"]["accuracy"]),
        f"{signed(-change['estimate'])} {bounds((-high, -low))}",
        f"{test['only_arm']} / {test['only_default']}",
        p_value(test["p"]),
        p_value(min(1.0, size * test["p"])),
    )


def _significance_note(run: PaperRun, size: int) -> str:
    """For which baselines of the arms' student the repaired one is significantly better in this run, or worse."""
    slot = ablation_student(run).slot
    tests: dict[str, tuple[float, float]] = {}  # p, difference repaired - baseline
    for label, comparison in (("base", "base_repaired"), ("distilled", "distilled_repaired")):
        row = run.metric("tests", "students", slot, comparison, "decision", "overall")
        tests[label] = row["mcnemar"]["p_exact"], row["accuracy_difference"]["estimate"]
    for label, name in _trained_baselines(run).items():
        if (arm := entry(run, name)) is not None:
            test = arm["against_default"]["decision"]["overall"]
            tests[label] = test["p"], -test["difference"]["estimate"]
    better = [label for label, (p, change) in tests.items() if size * p < 0.05 and change > 0]
    worse = [label for label, (p, change) in tests.items() if size * p < 0.05 and change < 0]
    text = f"Here the repaired {ablation_student(run).name} is significantly better than {', '.join(better) or 'none'}"
    return f"{text}{' and worse than ' + ', '.join(worse) if worse else ''}."


def _test_row(run: PaperRun, student: StudentRun, name: str, comparison: str, size: int | None) -> Row:
    entry: Mapping[str, Any] = run.metric("tests", "students", student.slot, comparison, "decision", "overall")
    test = entry["mcnemar"]
    return (
        student.name,
        name,
        str(entry["n"]),
        number(entry["accuracy_base"]),
        number(entry["accuracy_other"]),
        difference(entry["accuracy_difference"]),
        f"{test['b']} / {test['c']}",
        p_value(test["p_exact"]),
        NONE if size is None else p_value(min(1.0, size * test["p_exact"])),
    )


TABLES: tuple[Maker, ...] = (table13, table15, table16, table24)
