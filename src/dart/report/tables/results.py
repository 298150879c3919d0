"""Tables of the main results: 2 (decisions), A (repair beside its control), B (drift rates), U (equivalence).

Numbers come from metrics/tests.json, repair.json, drift_rate.json and hypotheses.json; the paper's stand in columns of
their own (Section 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dart.metrics.evaluate import ROWS
from dart.metrics.run import CONTROL, Run, StudentRun
from dart.report import published
from dart.report.blocks import Maker, base_repaired
from dart.report.cells import (
    count_bounds,
    difference,
    minus,
    paper_sides,
    points,
    share,
    share_bounds,
)
from dart.report.table import NONE, Row, Table, number, p_value, percent, ruled
from dart.stats.paired import stars

_NO_FAMILY = "not in family"
_AUDITED = {"before": "distilled", "after": "repaired", "control": "control"}
_ESTIMATES = ("raw", "judge_rate", "prediction_powered", "rogan_gladen")


def table2(run: Run) -> Table:
    """Table 2: accuracy and macro-F1 of base and repaired, with McNemar over the declared family."""
    body = ruled(
        [
            _table2_row(run, student, row, entry)
            for row in ROWS
            if (entry := base_repaired(run, student, row)) is not None
        ]
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
    hypothesis = _hypothesis(run, student, row)
    within_one_gold = row in ("DIFF", "EQUAL")  # macro-F1 over one gold label says nothing
    return (
        student.name,
        row,
        str(entry["n"]),
        number(entry[f"{rate}_base"]),
        number(entry[f"{rate}_other"]),
        difference(entry[f"{rate}_difference"]),
        NONE if hypothesis is None else stars(hypothesis["p_adjusted"]) or _detectable(entry, hypothesis),
        _NO_FAMILY if hypothesis is None else p_value(hypothesis["p_adjusted"]),
        NONE if within_one_gold else number(entry["macro_f1_base"]),
        NONE if within_one_gold else number(entry["macro_f1_other"]),
        NONE if within_one_gold else difference(entry["macro_f1_difference"]),
        f"{number(entry['parse_rate_base'])} → {number(entry['parse_rate_other'])}",
        paper_sides(published.TABLE_2_ACCURACY, student.slot, row),
    )


def _hypothesis(run: Run, student: StudentRun, row: str) -> Mapping[str, Any] | None:
    for entry in run.metric("hypotheses", "hypotheses"):
        if (entry["student"], entry["row"]) == (student.slot, row):
            return dict(entry)
    return None


def _detectable(entry: Mapping[str, Any], hypothesis: Mapping[str, Any]) -> str:
    """Write "n.s.", with the smallest difference that this test detects with a power of 80 %."""
    smallest = (entry["parsed"] if hypothesis["parsed_only"] else entry)["minimum_detectable_difference"]
    return "n.s." if smallest is None else f"n.s. (detectable: {number(smallest)})"


def table_control(run: Run) -> Table:
    """Table A, not in the paper: gross, new and net drift of repair and of the control, audited and true."""
    body = ruled(
        _control_rows(student, basis, arms)
        for student in run.students
        for basis, arms in run.metric("repair", student.slot).items()
    )
    return Table(
        number="A",
        title="What repair must beat: drift cases after repair and after as many steps without repair rows",
        columns=("Student", "Counted", "Arm", "Before → after", "Gross", "New", "Net", "Net reduction"),
        rows=body.rows,
        rules=body.rules,
        note="Gross: cases that disappeared; new: cases that were none before; net = gross − new; brackets: 95 % "
        "percentile bootstrap over items. 'audited' is what the judge confirmed, 'true' what the embedded world knows. "
        "The paper reports the net change only (435 → 119) and no control.",
        simulated=run.simulated,
    )


def _control_rows(student: StudentRun, basis: str, arms: Mapping[str, Any]) -> list[Row]:
    rows: list[Row] = []
    flows = ("gross", "new", "net")
    for arm in ("repair", CONTROL):
        if arm in arms:
            entry = arms[arm]
            cells = [f"{entry[name]} {count_bounds(entry[f'{name}_ci'])}" for name in flows]
            reduction = f"{percent(entry['reduction'])} {share_bounds(entry['reduction_ci'])}"
            rows.append((student.name, basis, arm, f"{entry['before']} → {entry['after']}", *cells, reduction))
    if "difference" in arms:
        entry = arms["difference"]
        cells = [minus(f"{entry[k]['estimate']:.0f} {count_bounds(entry[k]['ci'])}") for k in flows]
        reduction = f"{percent(entry['reduction']['estimate'])} {share_bounds(entry['reduction']['ci'])}"
        rows.append((student.name, basis, "repair − control", NONE, *cells, reduction))
    return rows


def table_rates(run: Run) -> Table:
    """Table B: every estimate of the drift rate beside the truth, for each audit."""
    body = ruled(
        [
            (student.name, _AUDITED[audit], str(entry["n"]), *(share(entry[name]) for name in _ESTIMATES[:3]),
             _true_share(entry, "true"), share(entry["rogan_gladen"]), _true_share(entry, "true_screened"))
            for audit in _AUDITED
            if (entry := run.metric("drift_rate", student.slot).get(audit)) is not None
        ]
        for student in run.students
    )  # fmt: skip
    return Table(
        number="B",
        title="Drift rate: as counted, and corrected for what the screen passes over and for the judge's errors",
        columns=(
            "Student", "Against base", "n", "Raw", "Judge's rate", "Prediction-powered", "True",
            "Rogan-Gladen, screened", "True, screened",
        ),
        rows=body.rows,
        rules=body.rules,
        note="Shares of all n pairs with 95 % intervals. Raw: screened and confirmed, as the paper counts. Judge's "
        "rate: what the judge would say over all pairs, from the random sample of unscreened ones that it saw as well; "
        "no estimate of drift, since its false alarms there weigh most. Prediction-powered: from annotated pairs, "
        "taken for the truth, and the judge, over all pairs. Rogan-Gladen: drift among screened pairs, corrected for "
        "the judge's errors on annotated ones; after repair and for the control the errors of the first audit are "
        f"assumed. True columns: known in the embedded world only. {_differences_note(run)}"
        f"{NONE}: no annotated pairs of this audit, or no sampled ones.",
        simulated=run.simulated,
    )  # fmt: skip


def table_unchanged(run: Run) -> Table:
    """Table U: equivalence tests of the claims that accuracy did not change."""
    names = {student.slot: student.name for student in run.students}
    entries = run.metric("hypotheses", "unchanged")
    body = ruled(
        [_equivalence_row(names[slot], entry) for entry in entries if entry["student"] == slot] for slot in names
    )
    margin = percent(entries[0]["margin"]) if entries else NONE
    return Table(
        number="U",
        title="Is accuracy unchanged by repair? Equivalence tests",
        columns=("Student", "Compared", "n", "Difference [90 % CI]", "Margin", "p", "Unchanged"),
        rows=body.rows,
        rules=body.rules,
        note=f"Two one-sided tests (Tango's score test of paired proportions) against a margin of {margin} that "
        "params.yaml fixes before the run (`equivalence`). 'not shown' is no proof of a change.",
        simulated=run.simulated,
    )


def _equivalence_row(name: str, entry: Mapping[str, Any]) -> Row:
    return (
        name,
        f"{entry['base']} → {entry['other']}",
        str(entry["n"]),
        difference(entry),
        f"±{entry['margin']:g}",
        p_value(entry["p"]),
        "yes" if entry["equivalent"] else "not shown",
    )


def _differences_note(run: Run) -> str:
    """Repaired minus control in corrected drift, paired by item."""
    parts = []
    for student in run.students:
        entry = run.metric("drift_rate", student.slot).get("differences", {}).get("control_after", {})
        if entry.get("estimate") is not None:
            truth = f" (true {percent(entry['true_screened'], sign=True)})" if "true_screened" in entry else ""
            parts.append(f"{student.name} {points(entry)} points{truth}")
    return f"Repaired − control, Rogan-Gladen, paired: {'; '.join(parts)}. " if parts else ""


def _true_share(entry: Mapping[str, Any], name: str) -> str:
    return percent(entry[name]) if name in entry else NONE


TABLES: tuple[Maker, ...] = (table2, table_control, table_rates, table_unchanged)
