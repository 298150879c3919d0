"""Tables of the main results: 2 (decisions), A (repair beside its control), B (drift rates), U (equivalence).

Numbers come from metrics/tests.json, repair.json, drift_rate.json and hypotheses.json; the paper's stand in columns of
their own (Section 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot
from typing import Any

from dart.metrics.evaluate import ROWS
from dart.metrics.registry import ALPHA, TABLE_2, main_p, table2_name
from dart.metrics.run import CONTROL, Run, StudentRun
from dart.report import published
from dart.report.ablation_entries import OURS
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
from dart.stats.power import CrossedVariance, detectable_over_seeds

_NO_FAMILY = "not in family"
_AUDITED = {"before": "distilled", "after": "repaired", "control": "control"}
_ESTIMATES = ("raw", "judge_rate", "prediction_powered", "rogan_gladen")


def table2(run: Run) -> Table:
    """Table 2: accuracy and macro-F1 of base and repaired, over training seeds and of the reference seed."""
    p_holm = main_p(run.metrics)
    body = ruled(
        [
            _table2_row(run, student, row, entry, p_holm)
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
            "Student", "Row", "Acc. base", "Acc. repaired", "Δ over seeds [95 % CI]", "Sig.", "p (Holm)",
            "One seed: n", "Δ [95 % CI, items]", f"p ({correction})", "F1 base", "F1 repaired", "Δ F1 [95 % CI, items]",
            "Parse", "Paper's macro-F1", "Paper's accuracy",
        ),
        rows=body.rows,
        rules=body.rules,
        note=(
            f"Accuracies and Δ over seeds: means over {len(run.metric('seeds', 'seeds'))} training seeds, interval for "
            "further seeds and items; stars and p after Holm's correction over the family main (Table F): *** p "
            "< .001, "
            "** p < .01, * p < .05, else the difference that this test finds with a power of 80 % at the corrected "
            "level. What follows is of the reference seed alone, with intervals over items: n, Δ (Tango's score "
            f"interval) and p (exact McNemar, {correction} over {run.metric('hypotheses', 'size')} rows of this "
            "table) of "
            "a row are of the same pairs. D1-D4 and N1-N4: pairs whose answers parse on both sides; all other rows and "
            "every macro-F1 count an unparsed answer as wrong. N1 (rebuilt) and N2 of the real suite can be decided by "
            "wording alone, so the overall row also stands without N1 and N2, outside the family. The paper's "
            "columns are "
            f"the paper's ({paper}; repaired 1.000), not a target: its benchmark rows cannot average to its "
            "overall row."
        ),
        simulated=run.simulated,
    )  # fmt: skip


def _table2_row(run: Run, student: StudentRun, row: str, entry: Mapping[str, Any], p_holm: Mapping[str, float]) -> Row:
    hypothesis = _hypothesis(run, student, row)
    within_one_gold = row in ("DIFF", "EQUAL")  # macro-F1 over one gold label says nothing
    if hypothesis is None:
        of_pairs = (str(entry["n"]), difference(entry["accuracy_difference"]), _NO_FAMILY)
    else:
        of_pairs = (str(hypothesis["n"]), difference(hypothesis), p_value(hypothesis["p_adjusted"]))
    return (
        student.name,
        row,
        *_over_seeds(run, student, row, p_holm),
        *of_pairs,
        NONE if within_one_gold else number(entry["macro_f1_base"]),
        NONE if within_one_gold else number(entry["macro_f1_other"]),
        NONE if within_one_gold else difference(entry["macro_f1_difference"]),
        f"{number(entry['parse_rate_base'])} → {number(entry['parse_rate_other'])}",
        paper_sides(published.TABLE_2_MACRO_F1, student.slot, row),
        paper_sides(published.TABLE_2_ACCURACY, student.slot, row),
    )


def _over_seeds(run: Run, student: StudentRun, row: str, p_holm: Mapping[str, float]) -> Row:
    """Both accuracies, their difference, stars and corrected p."""
    of_student = run.metric("seeds", "students", student.slot)
    measure = TABLE_2.get(row)
    entry = of_student["contrasts"]["base_repaired"].get(measure)
    if measure is None or entry is None:
        return (NONE,) * 5
    levels = entry.get("levels") or {
        stage: of_student["levels"][stage][measure]["estimate"] for stage in ("base", "repaired")
    }
    sides = (number(levels["base"]), number(levels["repaired"]))
    p = p_holm.get(table2_name(student.slot, row))
    if p is None:
        return (*sides, difference(entry), "one seed", NONE)
    return (*sides, difference(entry), stars(p) or _detectable(entry, len(p_holm)), p_value(p))


def _hypothesis(run: Run, student: StudentRun, row: str) -> Mapping[str, Any] | None:
    for entry in run.metric("hypotheses", "hypotheses"):
        if (entry["student"], entry["row"]) == (student.slot, row):
            return dict(entry)
    return None


def _detectable(entry: Mapping[str, Any], family: int) -> str:
    """Write "n.s.", with the smallest difference that as many seeds and items detect at the corrected level."""
    parts = entry.get("sd")
    if parts is None:
        return "n.s."
    sd = CrossedVariance(parts["seeds"], hypot(parts["items"], parts.get("scenarios", 0.0)), parts["residual"])
    smallest = detectable_over_seeds(sd, entry["n_seeds"], entry["n_items"], alpha=ALPHA / family)
    # no difference of two accuracies exceeds 1: two seeds, say, can show none
    return "n.s." if smallest >= 1 else f"n.s. (detectable: {number(smallest)})"


_AND_TRUE = ", 'true' what the embedded world knows"


def table_control(run: Run) -> Table:
    """Table A, not in the paper: gross, new and net drift of repair and of the control, audited and true."""
    body = ruled(
        _control_rows(student, basis, arms, run.metric("seeds", "students", student.slot, "reductions").get(basis, {}))
        for student in run.students
        for basis, arms in run.metric("repair", student.slot).items()
    )
    return Table(
        number="A",
        title="What repair must beat: drift cases after repair and after as many steps without repair rows",
        columns=(
            "Student", "Counted", "Arm", "Net reduction over seeds", "One seed: before → after", "Gross", "New", "Net",
            "Net reduction",
        ),
        rows=body.rows,
        rules=body.rules,
        note=f"Over seeds: cases removed as a share of the cases before, over {len(run.metric('seeds', 'seeds'))} "
        "training seeds and the items, 95 % interval for further ones of both. What follows is of the reference seed: "
        "gross, cases that disappeared; new, cases that were none before; net = gross − new; brackets: 95 % percentile "
        f"bootstrap over items. 'audited' is what the judge confirmed{_AND_TRUE if run.simulated else ''}. "
        "The paper reports the net change only (435 → 119) and no control.",
        simulated=run.simulated,
    )  # fmt: skip


def _control_rows(student: StudentRun, basis: str, arms: Mapping[str, Any], over_seeds: Mapping[str, Any]) -> list[Row]:
    rows: list[Row] = []
    flows = ("gross", "new", "net")
    for arm in ("repair", CONTROL):
        if arm in arms:
            entry = arms[arm]
            cells = [f"{entry[name]} {count_bounds(entry[f'{name}_ci'])}" for name in flows]
            reduction = f"{percent(entry['reduction'])} {share_bounds(entry['reduction_ci'])}"
            seeds = share(over_seeds.get("repaired" if arm == "repair" else arm))
            rows.append((student.name, basis, arm, seeds, f"{entry['before']} → {entry['after']}", *cells, reduction))
    if "difference" in arms:
        entry = arms["difference"]
        cells = [minus(f"{entry[k]['estimate']:.0f} {count_bounds(entry[k]['ci'])}") for k in flows]
        reduction = f"{percent(entry['reduction']['estimate'])} {share_bounds(entry['reduction']['ci'])}"
        seeds = share(over_seeds.get("difference"))
        rows.append((student.name, basis, "repair − control", seeds, NONE, *cells, reduction))
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
        "the judge's errors on annotated ones; an audit without annotated pairs is taken to have the first one's. "
        f"{'True columns: known in the embedded world only. ' if run.simulated else ''}{_differences_note(run)}"
        f"{NONE}: no annotated pairs of this audit, or no sampled ones.",
        ours=OURS,
        simulated=run.simulated,
    )  # fmt: skip


def table_unchanged(run: Run) -> Table:
    """Table U: equivalence tests of the claims that decisions did not change, over seeds and over items."""
    names = {student.slot: student.name for student in run.students}
    over_items = run.metric("hypotheses", "unchanged")
    body = ruled(
        [
            *(_equivalence_row(names[slot], _seeds_and_items(entry), entry)
              for entry in run.metric("seeds", "students", slot, "unchanged")),
            *(_equivalence_row(names[slot], f"1 seed, {entry['n']} items", entry)
              for entry in over_items if entry["student"] == slot),
        ]
        for slot in names
    )  # fmt: skip
    margin = over_items[0]["margin"] if over_items else NONE
    return Table(
        number="U",
        title="What is claimed to be unchanged: two one-sided tests",
        columns=("Student", "Comparison", "Row", "Over", "Δ accuracy [90 % CI]", "Margin", "p (TOST)", "Unchanged"),
        rows=body.rows,
        rules=body.rules,
        note=f"Two one-sided tests against a margin of {margin} that params.yaml fixes before the run (`equivalence`): "
        "over seeds and items, which is the claim about the recipe (its p corrected in Table Q), and over the items of "
        "the reference seed by Tango's score test of paired proportions. 'not shown' is no proof of a change.",
        simulated=run.simulated,
    )


def _seeds_and_items(entry: Mapping[str, Any]) -> str:
    return f"{entry['n_seeds']} seeds × {entry['n_items']} items"


def _equivalence_row(name: str, over: str, entry: Mapping[str, Any]) -> Row:
    return (
        name,
        f"{entry['base']} → {entry['other']}",
        entry["row"],
        over,
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
