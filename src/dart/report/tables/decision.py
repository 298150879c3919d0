"""Tables about decisions: 2 (main result), 13 (per benchmark), 15 (per student), 16 (effect sizes).

Numbers come from metrics/decision.json and metrics/tests.json; the paper's stand in columns of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dart.metrics.evaluate import ROWS
from dart.metrics.run import STAGES, Run, StudentRun
from dart.report import published
from dart.report.table import NONE, Row, Table, bounds, number, p_value, percent, ruled, signed
from dart.stats.decision import benchmarks_of
from dart.stats.paired import stars

_NO_FAMILY = "not in family"


def _decision(run: Run, student: StudentRun, row: str) -> Mapping[str, Any] | None:
    rows: Mapping[str, Any] = run.metric("tests", "students", student.slot, "base_repaired", "decision")
    return rows.get(row)


def _hypothesis(run: Run, student: StudentRun, row: str) -> Mapping[str, Any] | None:
    for entry in run.metric("hypotheses", "hypotheses"):
        if (entry["student"], entry["row"]) == (student.slot, row):
            return dict(entry)
    return None


def _paper(student: StudentRun, values: Mapping[str, Mapping[str, tuple[float, float]]], row: str) -> str:
    pair = values.get(student.slot, {}).get(row)
    return NONE if pair is None else f"{number(pair[0])} → {number(pair[1])}"


def table2(run: Run) -> Table:
    """Table 2: accuracy and macro-F1 of base and repaired, with McNemar over the declared family."""
    body = ruled(
        [_table2_row(run, student, row, entry) for row in ROWS if (entry := _decision(run, student, row)) is not None]
        for student in run.students
    )
    correction = str(run.metric("hypotheses", "correction")).capitalize()
    paper = ", ".join(
        f"{slot} = {model}, parse rate {number(published.TABLE_2_PARSE_RATE[slot][0])}"
        for slot, model in published.MODELS.items()
    )
    return Table(
        number="2",
        title="Decision quality on the difference-awareness benchmarks, base and repaired",
        columns=(
            "Student",
            "Row",
            "n",
            "Acc. base",
            "Acc. repaired",
            "Δ [95 % CI]",
            "Sig.",
            f"p ({correction})",
            "F1 base",
            "F1 repaired",
            "Δ F1 [95 % CI]",
            "Parse",
            "Paper's accuracy",
        ),
        rows=body.rows,
        rules=body.rules,
        note=(
            "D1-D4 and N1-N4: accuracy among parsed answers, pooled over items; McNemar on the pairs that parse on "
            "both sides. All other rows and every macro-F1 count an unparsed answer as wrong. Exact McNemar, "
            f"{correction} over the declared family of {run.metric('hypotheses', 'size')} comparisons "
            f"({len(run.metric('hypotheses', 'rows'))} rows for each student): *** p < .001, ** p < .01, * p < .05. "
            "Intervals: paired percentile bootstrap over items. N1 (rebuilt) and N2 of the real suite can be "
            "decided by wording alone, so the overall row also stands without N1 and N2, outside the family. "
            "The paper's column is the paper's "
            f"({paper}; repaired 1.000), not a target: its benchmark "
            "rows cannot average to its overall row."
        ),
        simulated=run.simulated,
    )


def _table2_row(run: Run, student: StudentRun, row: str, entry: Mapping[str, Any]) -> Row:
    rate = "accuracy_parsed" if row in run.metric("hypotheses", "parsed_only") else "accuracy"
    difference, f1 = entry[f"{rate}_difference"], entry["macro_f1_difference"]
    hypothesis = _hypothesis(run, student, row)
    within_one_gold = row in ("DIFF", "EQUAL")  # macro-F1 over one gold label says nothing
    return (
        student.name,
        row,
        str(entry["n"]),
        number(entry[f"{rate}_base"]),
        number(entry[f"{rate}_other"]),
        f"{signed(difference['estimate'])} {bounds(difference['ci'])}",
        NONE if hypothesis is None else stars(hypothesis["p_adjusted"]) or _detectable(entry, hypothesis),
        _NO_FAMILY if hypothesis is None else p_value(hypothesis["p_adjusted"]),
        NONE if within_one_gold else number(entry["macro_f1_base"]),
        NONE if within_one_gold else number(entry["macro_f1_other"]),
        NONE if within_one_gold else f"{signed(f1['estimate'])} {bounds(f1['ci'])}",
        f"{number(entry['parse_rate_base'])} → {number(entry['parse_rate_other'])}",
        _paper(student, published.TABLE_2_ACCURACY, row),
    )


def _detectable(entry: Mapping[str, Any], hypothesis: Mapping[str, Any]) -> str:
    """Write "n.s.", with the smallest difference that this test would have found with a power of 80 %."""
    least = (entry["parsed"] if hypothesis["parsed_only"] else entry)["minimum_detectable_difference"]
    return "n.s." if least is None else f"n.s. (detectable: {number(least)})"


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
    by = {stage: decision[stage]["by_benchmark"] for stage in STAGES}
    for name in names:
        values = {stage: by[stage][name]["accuracy_parsed"] for stage in by}
        n, parsed = (str(by["base"][name][key]) for key in ("n", "n_parsed"))
        rows.append(_table13_row(student, run.benchmark_name(name), n, parsed, values))
    for letter, label in (("D", "D average"), ("N", "N average"), ("", "Overall (parsed)")):
        if letter:
            means = {s: _mean([by[s][n]["accuracy_parsed"] for n in names if n.startswith(letter)]) for s in by}
        else:
            means = {stage: decision[stage]["accuracy_parsed"] for stage in by}
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
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


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
                NONE if paper is None else _paper(student, published.TABLE_2_ACCURACY, "overall"),
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
    """Table 16: effect sizes under the names they deserve."""
    body = ruled(
        [
            _table16_row(student, row, entry)
            for row in ("overall", "DIFF", "EQUAL")
            if (entry := _decision(run, student, row)) is not None
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
    test, difference = entry["mcnemar"], entry["accuracy_difference"]
    return (
        student.name,
        row,
        str(entry["n"]),
        str(test["b"]),
        str(test["c"]),
        f"{signed(difference['estimate'])} {bounds(difference['ci'])}",
        number(entry["cohens_g"]),
        p_value(test["p_exact"]),
    )
