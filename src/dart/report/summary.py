"""The run in a few sentences and in a terminal: what would be said of another set of training seeds, or "not shown".

Each claim stands with its interval over seeds and items, and beside it what it must beat.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dart.core.records import SEVERITIES
from dart.metrics.questions import REDUCED, SEEN, UNTOUCHED, answers
from dart.metrics.registry import ALPHA, main_p, question_name, table2_name, table24_name
from dart.metrics.run import CONTROL, Run, StudentRun
from dart.report.cells import points
from dart.report.table import NONE, number, p_value, percent

SIMULATED = (
    "Simulated: students, teacher, judge and classifier of this run are embedded stand-ins. The numbers test the "
    "pipeline and say nothing about real language models."
)
MEASURED = "Measured on the models that the profile names."


def label(run: Run) -> str:
    """What the reader must know before the first number."""
    return SIMULATED if run.simulated else MEASURED


def claims(run: Run) -> list[str]:
    """The two claims of the paper for each student over all training seeds, each with what it must beat."""
    return [claim(run, student) for student in run.students for claim in (decision_claim, drift_claim)]


def decision_claim(run: Run, student: StudentRun) -> str:
    """Accuracy, base to repaired over seeds, and against the control."""
    entry = run.metric("seeds", "students", student.slot)
    gain, levels, p_holm = entry["contrasts"]["base_repaired"]["accuracy"], entry["levels"], main_p(run.metrics)
    base, repaired = (percent(levels[stage]["accuracy"]["estimate"]) for stage in ("base", "repaired"))
    text = (
        f"{student.name}, decisions: accuracy {base} → {repaired}, mean of {_seeds(gain)} "
        f"({_shown(gain, p_holm.get(table2_name(student.slot, 'overall')), +1)})."
    )
    if CONTROL in levels:
        against = entry["contrasts"][f"{CONTROL}_repaired"]["accuracy"]
        text += (
            f" The control without repair rows has {percent(levels[CONTROL]['accuracy']['estimate'])}; that "
            "repair adds "
            f"to it: {_shown(against, p_holm.get(table24_name(student.slot, CONTROL)), +1)}."
        )
    return text


def drift_claim(run: Run, student: StudentRun) -> str:
    """Drift before and after repair over seeds, against the control, on repaired and on untouched prompts."""
    levels = run.metric("seeds", "students", student.slot, "levels")
    before, after = (levels[stage]["drift_rate"] for stage in ("distilled", "repaired"))
    text = (
        f"{student.name}, harm drift: audited in {percent(before['estimate'])} of the explanations after "
        "distillation and "
        f"{percent(after['estimate'])} after repair, mean of {_seeds(after)}."
    )
    if CONTROL not in levels:
        return f"{text} No control was run, so how much of this is due to the repair rows is unknown."
    text += f" The control leaves {percent(levels[CONTROL]['drift_rate']['estimate'])}: repair removes more on prompts "
    parts = []
    p_holm = main_p(run.metrics)
    for prompts, name in ((SEEN, "that it repaired"), (UNTOUCHED, "that no training saw")):
        found = [
            answer
            for answer in answers(run.metrics)
            if (answer.student, answer.prompts) == (student.slot, prompts)
            and answer.question == REDUCED
            and answer.estimand == f"audited drift, repaired − {CONTROL}"
        ]
        for answer in found:
            shown = _shown({"estimate": answer.estimate, "ci": answer.ci}, p_holm.get(question_name(answer.key)), -1)
            parts.append(f"{name}: {shown}")
    return f"{text}{'; '.join(parts)}."


def _seeds(entry: Mapping[str, Any]) -> str:
    n = entry["n_seeds"]
    return f"{n} training seeds" if n > 1 else "one training seed"


def _shown(entry: Mapping[str, Any], p_holm: float | None, sign: int) -> str:
    """Say whether the direction is shown, with difference, interval over seeds and items, and corrected p."""
    text = _in_points(entry)
    if p_holm is None:
        return f"not shown, with one training seed ({text})"
    shown = "not shown" if p_holm >= ALPHA else "shown" if sign * entry["estimate"] > 0 else "the opposite is shown"
    return f"{shown}, {text} over seeds and items, p (Holm) = {p_value(p_holm)}"


def _in_points(interval: Mapping[str, Any]) -> str:
    text = points(interval)
    return text.replace(" ", " points ", 1) if " " in text else f"{text} points"


def summary(run: Run) -> str:
    """A compact table of the reference seed for the terminal: a line for each student and stage."""
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
    seed = run.metric("seeds", "reference")
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(_padded(row, widths)).rstrip() for row in rows]
    return "\n".join(
        [f"{'SIMULATED' if run.simulated else 'MEASURED'}: {len(run.items)} test items, training seed {seed}", *lines]
    )


def _padded(row: tuple[str, ...], widths: list[int]) -> list[str]:
    cells = zip(row, widths, strict=True)
    return [cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(cells)]
