"""Tables of recipes, not in the paper: R (drift beside the control's), P (power). From metrics/recipes.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dart.core.schema.method import RecipeName
from dart.metrics.recipes import DISTILLED, ITEM_COUNTS, POWERS, PUBLISHED, REDUCTION, SAMPLED
from dart.metrics.run import CONTROL, Run, StudentRun
from dart.repair.recipes import RECIPES
from dart.report.blocks import Maker
from dart.report.table import NONE, NOT_RUN, Row, Table, number, percent, ruled

_LABELS: Mapping[str, str] = {
    DISTILLED: "none (distilled)", CONTROL: "control", PUBLISHED: "main path",
    **{name: name.replace("_", " ") for name in RECIPES},
}  # fmt: skip
COLUMNS = (
    "Student", "Recipe", "Test: drift cases", "Test: net reduction", "Fewer than control", "Untouched: drift cases",
    "Untouched: net reduction", "Fewer than control", "Other half: net reduction", "Fewer than control",
    "Drawn answers: drift", "Accuracy", "EQUAL − control", "DIFF − control", "Text change",
)  # fmt: skip


def table_recipes(run: Run) -> Table:
    """Table R: drift that each recipe leaves on prompts that were repaired and on prompts that none repaired."""
    students = run.metrics.get("recipes", {}).get("students", {})
    body = ruled(
        _student_rows(student, students[student.slot])
        if student.slot in students
        else [(student.name, *(NOT_RUN,) * (len(COLUMNS) - 1))]
        for student in run.students
    )
    return Table(
        number="R",
        title="Recipes of Stage III beside repair and control, over training seeds",
        columns=COLUMNS,
        rows=body.rows,
        rules=body.rules,
        note="Each recipe starts from the distilled adapter of its seed and takes as many steps as repair and control. "
        f"{_basis(students)} Test: prompts of which some recipes repaired the drift cases; mended training and those "
        "that train on the student's own answers repair none of them. Untouched: validation prompts, which no recipe "
        "repairs. Other half: all test prompts, each after a training that repaired the other half of them, or none. "
        "Drawn answers: drift cases per answer among several that were drawn for each of some validation prompts. "
        "Net reduction: (distilled − after) / distilled, mean over seeds with Student's t-interval. "
        "Fewer than control: seeds with fewer drift cases than the control of the same seed. Differences are to the "
        "control, on test prompts. Text change: share "
        f"of the words that changed where the distilled student had not drifted. {_descriptions(students)}"
        f"{_chosen(run, students)}",
        needs="" if students else "recipes in params.yaml.",
        measured=bool(students),
        simulated=run.simulated,
    )


def _kind(students: Mapping[str, Any]) -> str:
    entries = [entry for student in students.values() for entry in student["splits"]["test"].values()]
    return "true" if entries and all("true_cases" in entry for entry in entries) else "audited"


def _basis(students: Mapping[str, Any]) -> str:
    if _kind(students) == "true":
        return "Drift: the true one, which is known in the embedded world only."
    return "Drift: audited under the two-sided screen."


def _student_rows(student: StudentRun, entry: Mapping[str, Any]) -> list[Row]:
    kind = _kind({student.slot: entry})
    test, validation = entry["splits"]["test"], entry["splits"]["validation"]
    rows: list[Row] = []
    for variant in (DISTILLED, CONTROL, PUBLISHED, *(name for name in test if name in RECIPES)):
        one = test[variant]
        rows.append(
            (
                student.name,
                _LABELS[variant],
                *_drift(one, kind, variant),
                *_drift(validation[variant], kind, variant),
                *_of_halves(entry["splits"], kind, variant),
                _drawn(entry["splits"], kind, variant),
                number(one["accuracy"]["mean"]),
                *(_difference(one, name, variant) for name in ("equal_accuracy", "diff_accuracy")),
                NONE if variant == DISTILLED else percent(one["text_change"]["mean"]),
            )
        )
    return rows


def _drift(entry: Mapping[str, Any], kind: str, variant: str) -> Row:
    """Cases, net reduction and seeds below the control."""
    count = number(entry[f"{kind}_cases"]["mean"], 1)
    if variant == DISTILLED:
        return (count, NONE, NONE)
    net = entry[f"{kind}_net"]
    reduced = percent(net["mean"])
    if net["ci"] is not None:
        reduced += f" [{', '.join(percent(bound) for bound in net['ci'])}]"
    better = entry["better_than_control"]
    return (count, reduced, NONE if variant == CONTROL else f"{better[kind]} of {better['n']}")


def _of_halves(splits: Mapping[str, Any], kind: str, variant: str) -> Row:
    """Net reduction and seeds below the control on prompts of the other half."""
    entry = splits.get("halves", {}).get(variant)
    return (NONE, NONE) if entry is None else _drift(entry, kind, variant)[1:]


def _drawn(splits: Mapping[str, Any], kind: str, variant: str) -> str:
    entry = splits.get(SAMPLED, {}).get(variant)
    return NONE if entry is None else percent(entry[f"{kind}_rate"]["mean"])


def _difference(entry: Mapping[str, Any], name: str, variant: str) -> str:
    mean = entry[f"{name}_difference"]["mean"]
    return NONE if variant == CONTROL or mean is None else f"{mean:+.3f}".replace("-", "−")


def _description(name: RecipeName, students: Mapping[str, Any]) -> str:
    about = RECIPES[name].about
    if name != "task_arithmetic":
        return about
    weights = {str(student["task_arithmetic_weight"]): None for student in students.values()}
    return f"{about}: {', '.join(weight for weight in weights if weight != 'None')}"


def _descriptions(students: Mapping[str, Any]) -> str:
    names = {name: None for student in students.values() for name in student["splits"]["test"] if name in RECIPES}
    return "".join(
        f"{_LABELS[name].capitalize()}: {_description(name, students)}. " for name in RECIPES if name in names
    )


def _chosen(run: Run, students: Mapping[str, Any]) -> str:
    chosen = [
        f"{_LABELS[students[student.slot]['chosen']]} ({student.name})"
        for student in run.students
        if student.slot in students and students[student.slot]["chosen"]
    ]
    return f"Chosen on the validation set, by audited drift and accuracy: {', '.join(chosen)}." if chosen else ""


def table_power(run: Run) -> Table:
    """Table P: how many trainings, and how many items, a drift rate below the control's needs."""
    students = run.metrics.get("recipes", {}).get("students", {})
    rows = [_power_rows(student, students.get(student.slot, {}).get("power", {})) for student in run.students]
    body = ruled(rows or [[]])
    several = any(student.get("power") for student in students.values())
    return Table(
        number="P",
        title=f"Trainings that show a drift rate {percent(REDUCTION, 0)} below the control's",
        columns=(
            "Student", "Recipe", "Control's drift rate", "SD between seeds", "SD between items",
            *(f"{n:,} items: {percent(power, 0)} power" for n in ITEM_COUNTS for power in POWERS),
        ),
        rows=body.rows,
        rules=body.rules,
        note="Seeds of recipe and control for a two-sided paired t test at 5 %. SD between seeds: of the difference of "
        "both drift rates over infinitely many items; between items: of the difference (−1, 0 or 1) on one item; both "
        "from this run's validation set, so from few seeds themselves. More items help only until the seeds' part is "
        "all that is left.",
        needs="" if several else "recipes in params.yaml, and two training seeds at least.",
        measured=several,
        simulated=run.simulated,
    )  # fmt: skip


def _power_rows(student: StudentRun, power: Mapping[str, Any]) -> list[Row]:
    width = 5 + len(ITEM_COUNTS) * len(POWERS)
    return [
        (
            student.name,
            _LABELS[variant],
            percent(entry["control_rate"]),
            *(number(entry[name], 4) for name in ("sd_seeds", "sd_items")),
            *(
                "> 1,000" if needed is None else str(needed)
                for by_power in entry["trainings"].values()
                for needed in by_power.values()
            ),
        )
        for variant, entry in power.items()
    ] or [(student.name, *(NOT_RUN,) * (width - 1))]


TABLES: tuple[Maker, ...] = (table_recipes, table_power)
