"""Tables by benchmark and student: 13 (benchmarks), 15 (students), 16 (effect sizes), 24 (against each baseline).

Appendices H, I, J and K.6; numbers from metrics/decision.json, tests.json and arms.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dart.metrics.registry import ALPHA, main_p, table2_name, table24_name
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
    share,
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
    """Table 15: accuracy, EQUAL accuracy and audited drift of every student, over training seeds."""
    rows: list[Row] = []
    for student in run.students:
        of_student = run.metric("seeds", "students", student.slot)
        levels, contrast = of_student["levels"], of_student["contrasts"]["base_repaired"]
        paper = published.TABLE_2_ACCURACY.get(student.slot)
        rows.append(
            (
                student.name,
                *(cell for measure in ("accuracy", "equal_accuracy")
                  for cell in (_sides(levels, measure), difference(contrast.get(measure)))),
                _sides(levels, "parse_rate"),
                " → ".join(percent(levels[stage]["drift_rate"]["estimate"]) for stage in ("distilled", "repaired")),
                share(of_student["reductions"]["audited"].get("repaired")),
                NONE if paper is None else paper_sides(published.TABLE_2_ACCURACY, student.slot, "overall"),
            )
        )  # fmt: skip
    return Table(
        number="15",
        title="The whole pipeline by student",
        columns=(
            "Student", "Accuracy", "Δ [95 % CI]", "EQUAL", "Δ [95 % CI]", "Parse", "Drift rate",
            "Net reduction [95 % CI]", "Paper's accuracy",
        ),
        rows=tuple(rows),
        note=f"Means over {len(run.metric('seeds', 'seeds'))} training seeds; intervals for further seeds and "
        "items. Base "
        "to repaired; drift rate: distilled and repaired against base, as audited. The reduction is net of new cases; "
        "compare Table A for what the control removes. The paper's drift reductions are 65.8-74.1 %.",
        simulated=run.simulated,
    )  # fmt: skip


def _sides(levels: Mapping[str, Any], measure: str) -> str:
    """A measure of base and repaired: 0.363 → 0.776."""
    return " → ".join(number(levels[stage].get(measure, {}).get("estimate")) for stage in ("base", "repaired"))


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
    """Table 24: the repaired student against each baseline, over training seeds and item by item."""
    size, p_holm = published.BASELINE_COMPARISONS, main_p(run.metrics)
    body = ruled(_baseline_rows(run, student, size, p_holm) for student in run.students)
    absent = missing(run, _trained_baselines(run).values())
    return Table(
        number="24",
        title="The repaired student against each baseline",
        columns=(
            "Student", "Baseline", "n", "Acc. baseline", "Acc. repaired", "Δ over seeds [95 % CI]", "p (Holm)",
            "One seed: Δ [95 % CI, items]", "b / c", "p (exact)", f"p (Bonferroni, {size})",
        ),
        rows=body.rows,
        rules=body.rules,
        note="All test items, unparsed = wrong. Accuracies and Δ over seeds: means over training seeds with the "
        "interval "
        "for further seeds and items; label-only and toxicity-regularised training are one training each, "
        "compared with "
        "the repaired student's seeds (Student's t for one more training). p: Holm over the families main and "
        "ablations "
        "(Table F). Then the reference seed item by item: b, baseline right, repaired wrong; c, the reverse; exact "
        f"McNemar, Bonferroni over the paper's {size} comparisons for each student, whether they ran or not. "
        "Arms run on "
        f"one student ({ablation_student(run).name}). The control is ours (Stage I continued without repair rows) and "
        "outside the paper's family. The paper: p < 1e-20 against all but the distilled student, and not significant "
        f"against that one. {_significance_note(run, p_holm)}",
        needs=needs(run, absent),
        simulated=run.simulated,
    )  # fmt: skip


def _trained_baselines(run: PaperRun) -> Mapping[str, str]:
    """Baselines that are arms, by name in the table."""
    chosen = toxicity_weights(run).chosen or "toxreg_010"
    return {"label-only SFT": "label_only", "toxicity-regularised SFT": chosen}


def _baseline_rows(run: PaperRun, student: StudentRun, size: int, p_holm: Mapping[str, float]) -> list[Row]:
    rows = [
        _test_row(run, student, "base", "base", size, p_holm),
        _test_row(run, student, "distilled (Stage I)", "distilled", size, p_holm),
    ]
    if student.slot == ablation_student(run).slot:
        rows += [_arm_row(run, student, label, name, size) for label, name in _trained_baselines(run).items()]
    if CONTROL in student.variants:
        rows.append(_test_row(run, student, "control (ours)", CONTROL, None, p_holm))
    return rows


def _main_p_of(student: StudentRun, baseline: str, p_holm: Mapping[str, float]) -> float | None:
    """Of the baseline in the family main: base is the row overall of Table 2."""
    name = table2_name(student.slot, "overall") if baseline == "base" else table24_name(student.slot, baseline)
    return p_holm.get(name)


def _arm_row(run: PaperRun, student: StudentRun, label: str, name: str, size: int) -> Row:
    metrics, default = entry(run, name), entry(run, DEFAULT)
    if metrics is None or default is None:
        return (student.name, label, *(NOT_RUN,) * 9)
    test = metrics["against_default"]["decision"]["overall"]  # arm - repaired; this table shows repaired - arm
    change = test["difference"]
    low, high = change["ci"]
    over_seeds = metrics.get("against_seeds", {}).get("accuracy") or {"estimate": None, "ci": None}
    mean = over_seeds.get("reference", default["decision"]["accuracy"])
    flipped = None if over_seeds["ci"] is None else [-bound for bound in reversed(over_seeds["ci"])]
    return (
        student.name,
        label,
        str(metrics["n"]),
        number(metrics["decision"]["accuracy"]),
        number(mean),
        NONE if flipped is None else f"{signed(-over_seeds['estimate'])} {bounds(flipped)}",
        p_value(over_seeds.get("p_holm")),
        f"{signed(-change['estimate'])} {bounds((-high, -low))}",
        f"{test['only_arm']} / {test['only_default']}",
        p_value(test["p"]),
        p_value(min(1.0, size * test["p"])),
    )


def _significance_note(run: PaperRun, p_holm: Mapping[str, float]) -> str:
    """For which baselines of the arms' student the repaired one is significantly better over seeds, or worse."""
    student = ablation_student(run)
    tests: dict[str, tuple[float | None, float]] = {}  # corrected p, difference repaired - baseline
    for baseline in ("base", "distilled"):
        contrast = run.metric("seeds", "students", student.slot, "contrasts", f"{baseline}_repaired", "accuracy")
        tests[baseline] = _main_p_of(student, baseline, p_holm), contrast["estimate"]
    for label, name in _trained_baselines(run).items():
        over_seeds = (entry(run, name) or {}).get("against_seeds", {}).get("accuracy")
        if over_seeds is not None:
            tests[label] = over_seeds.get("p_holm"), -over_seeds["estimate"]
    shown = {label: change for label, (p, change) in tests.items() if p is not None and p < ALPHA}
    better, worse = ([name for name, change in shown.items() if sign * change > 0] for sign in (1, -1))
    text = f"Here the repaired {student.name} is significantly better than {', '.join(better) or 'none'}"
    return f"{text}{' and worse than ' + ', '.join(worse) if worse else ''}."


def _test_row(
    run: PaperRun, student: StudentRun, name: str, baseline: str, size: int | None, p_holm: Mapping[str, float]
) -> Row:
    comparison = f"{baseline}_repaired"
    entry: Mapping[str, Any] = run.metric("tests", "students", student.slot, comparison, "decision", "overall")
    of_student = run.metric("seeds", "students", student.slot)
    levels, test = of_student["levels"], entry["mcnemar"]
    return (
        student.name,
        name,
        str(entry["n"]),
        *(number(levels[variant]["accuracy"]["estimate"]) for variant in (baseline, "repaired")),
        difference(of_student["contrasts"][comparison]["accuracy"]),
        p_value(_main_p_of(student, baseline, p_holm)),
        difference(entry["accuracy_difference"]),
        f"{test['b']} / {test['c']}",
        p_value(test["p_exact"]),
        NONE if size is None else p_value(min(1.0, size * test["p_exact"])),
    )


TABLES: tuple[Maker, ...] = (table13, table15, table16, table24)
