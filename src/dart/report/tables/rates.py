"""Tables B and U, not in the paper: the drift rate with an honest denominator, and what did not change.

Numbers come from metrics/drift_rate.json and metrics/hypotheses.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dart.metrics.run import Run
from dart.report.table import NONE, Row, Table, bounds, p_value, percent, ruled, signed

_WHEN = {"before": "distilled", "after": "repaired", "control": "control"}
_ESTIMATES = ("raw", "inverse_probability", "prediction_powered", "rogan_gladen")


def table_rates(run: Run) -> Table:
    """Table B: every estimate of the drift rate beside the truth, for each audit."""
    body = ruled(
        [
            (student.name, _WHEN[when], str(entry["n"]), *(_rate(entry[name]) for name in _ESTIMATES[:3]),
             _known(entry, "true"), _rate(entry["rogan_gladen"]), _known(entry, "true_screened"))
            for when in _WHEN
            if (entry := run.metric("drift_rate", student.slot).get(when)) is not None
        ]
        for student in run.students
    )  # fmt: skip
    return Table(
        number="B",
        title="Drift rate: as counted, and corrected for what the screen passes over and for the judge's errors",
        columns=(
            "Student", "Against base", "n", "Raw", "Inverse probability", "Prediction-powered", "True",
            "Rogan-Gladen, screened", "True, screened",
        ),
        rows=body.rows,
        rules=body.rules,
        note="Shares of all n pairs with 95 % intervals. Raw: screened and confirmed, as the paper counts. Inverse "
        "probability: with the random sample of unscreened pairs that the judge saw as well. Prediction-powered: from "
        "annotated pairs and the audit, over all pairs. Rogan-Gladen: drift among screened pairs, corrected for the "
        "judge's errors on annotated ones. True columns: known in the embedded world only. "
        f"{NONE}: no annotated pairs of this audit, or no sampled ones.",
        simulated=run.simulated,
    )  # fmt: skip


def table_unchanged(run: Run) -> Table:
    """Table U: equivalence tests of the claims that accuracy did not change."""
    names = {student.slot: student.name for student in run.students}
    entries = run.metric("hypotheses", "unchanged")
    body = ruled([_claim(names[slot], entry) for entry in entries if entry["student"] == slot] for slot in names)
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


def _claim(name: str, entry: Mapping[str, Any]) -> Row:
    return (
        name,
        f"{entry['base']} → {entry['other']}",
        str(entry["n"]),
        f"{signed(entry['estimate'])} {bounds(entry['ci'])}",
        f"±{entry['margin']:g}",
        p_value(entry["p"]),
        "yes" if entry["equivalent"] else "not shown",
    )


def _rate(entry: Mapping[str, Any]) -> str:
    if entry.get("estimate") is None:
        return NONE
    low, high = entry["ci"]
    return f"{percent(entry['estimate'])} [{percent(low)}, {percent(high)}]"


def _known(entry: Mapping[str, Any], name: str) -> str:
    return percent(entry[name]) if name in entry else NONE
