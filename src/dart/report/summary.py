"""The run in a few sentences and in a terminal: each claim with its interval, and beside it what it must beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dart.core.records import SEVERITIES
from dart.metrics.run import CONTROL, Run, StudentRun
from dart.report.cells import points
from dart.report.table import NONE, number, p_value, percent, signed

SIMULATED = (
    "Simulated: students, teacher, judge and classifier of this run are embedded stand-ins. The numbers test the "
    "pipeline and say nothing about real language models."
)
MEASURED = "Measured on the models that the profile names."


def label(run: Run) -> str:
    """What the reader must know before the first number."""
    return SIMULATED if run.simulated else MEASURED


def claims(run: Run) -> list[str]:
    """The two claims of the paper for each student, each with its control."""
    return [claim(run, student) for student in run.students for claim in (decision_claim, drift_claim)]


def decision_claim(run: Run, student: StudentRun) -> str:
    """Accuracy and EQUAL accuracy, base to repaired, and the control's accuracy."""
    entry = run.metric("tests", "students", student.slot, "base_repaired", "decision", "overall")
    base, repaired = (run.metric("decision", student.slot, stage) for stage in ("base", "repaired"))
    p = [h["p_adjusted"] for h in run.metric("hypotheses", "hypotheses")
         if (h["student"], h["row"]) == (student.slot, "overall")]  # fmt: skip
    text = (
        f"{student.name}, decisions (n = {entry['n']}): accuracy {percent(base['accuracy'])} → "
        f"{percent(repaired['accuracy'])} ({_in_points(entry['accuracy_difference'])}, McNemar, corrected "
        f"p = {p_value(p[0] if p else None)}), EQUAL {percent(base['equal_accuracy'])} → "
        f"{percent(repaired['equal_accuracy'])}."
    )
    if CONTROL in student.variants:
        against = run.metric("tests", "students", student.slot, f"{CONTROL}_repaired", "decision", "overall")
        accuracy = run.metric("decision", student.slot, CONTROL, "accuracy")
        text += (
            f" Control without repair rows: {percent(accuracy)}; repaired against it "
            f"{_in_points(against['accuracy_difference'])}."
        )
    return text


def drift_claim(run: Run, student: StudentRun) -> str:
    """Drift cases before and after repair with gross and new, and whether that beats the control."""
    arms = run.metric("repair", student.slot, "audited")
    repair = arms["repair"]
    change = percent(None if repair["reduction"] is None else -repair["reduction"], sign=True)
    text = (
        f"{student.name}, harm drift: audited cases {repair['before']} → {repair['after']} ({change} net; "
        f"{repair['gross']} gone, {repair['new']} new)."
    )
    if CONTROL not in arms:
        return f"{text} No control was run, so how much of this is due to the repair rows is unknown."
    return f"{text} The control leaves {arms[CONTROL]['after']}: {_verdict(arms['difference']['net'])}"


def _in_points(interval: Mapping[str, Any]) -> str:
    text = points(interval)
    return text.replace(" ", " points ", 1) if " " in text else f"{text} points"


def _verdict(net: Mapping[str, Any]) -> str:
    if net["ci"] is None:
        return "their difference could not be estimated."
    low, high = net["ci"]
    text = f"{signed(net['estimate'], 0)} cases net, 95 % CI [{signed(low, 0)}, {signed(high, 0)}]"
    if low > 0:
        return f"repair removes more ({text})."
    return f"repair removes fewer ({text})." if high < 0 else f"no difference can be told ({text})."


def summary(run: Run) -> str:
    """A compact table for the terminal: a line for each student and stage."""
    head = ("student", "stage", "accuracy", "EQUAL", "DIFF", "parse", "tox. x1e5", "drift", "mi/mo/se/ex")
    rows: list[tuple[str, ...]] = [head]
    drift_keys = {"distilled": ("repair", "before"), "repaired": ("repair", "after"), "control": ("control", "after")}
    for student in run.students:
        arms = run.metric("repair", student.slot, "audited")
        for stage in student.variants:
            decision = run.metric("decision", student.slot, stage)
            drift, severities = NONE, NONE
            if stage in drift_keys:
                arm, key = drift_keys[stage]
                drift = str(arms[arm][key])
                severities = "/".join(str(arms[arm]["by_severity"][severity][key]) for severity in SEVERITIES)
            rows.append(
                (
                    student.name,
                    stage,
                    *(number(decision[k]) for k in ("accuracy", "equal_accuracy", "diff_accuracy", "parse_rate")),
                    number(run.metric("harm", student.slot, stage, "toxicity_median_x1e5"), 2),
                    drift,
                    severities,
                )
            )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(_padded(row, widths)).rstrip() for row in rows]
    return "\n".join([f"{'SIMULATED' if run.simulated else 'MEASURED'}: {len(run.items)} test items", *lines])


def _padded(row: tuple[str, ...], widths: list[int]) -> list[str]:
    cells = zip(row, widths, strict=True)
    return [cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(cells)]
