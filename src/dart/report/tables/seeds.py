"""Tables of training seeds, not in the paper: S (what each seed came to), V (between seeds and between items).

The paper trains once: its intervals are over items and say nothing of a second training. From metrics/seeds.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from dart.metrics.run import CONTROL, Run, StudentRun
from dart.report.blocks import Maker
from dart.report.cells import minus
from dart.report.table import NONE, NOT_RUN, Row, Table, number, percent, ruled

MAX_COLUMNS = 6  # of single seeds; more of them are shown by their range alone
NEEDS = "two training seeds at least (`seeds` of the profile)."
Format = Callable[[float | None], str]


def _count(value: float | None) -> str:
    """A number of cases, or their mean."""
    return number(value, 0 if value is None or value == int(value) else 1)


def _median(value: float | None) -> str:
    return number(value, 2)


class Quantity(NamedTuple):
    """A row of Table S."""

    group: str  # of metrics/seeds.json
    measure: str
    label: str
    text: Format


_OF_VARIANT: Sequence[tuple[str, str, Format]] = (
    ("accuracy", "accuracy", number),
    ("equal_accuracy", "EQUAL", number),
    ("diff_accuracy", "DIFF", number),
    ("parse_rate", "parsed", number),
    ("toxicity_mean_x1e5", "toxicity (mean)", _median),
    ("drift_cases", "drift cases, audited", _count),
    ("true_cases", "drift cases, true", _count),
)
_REDUCTIONS: Mapping[str, str] = {"repaired": "by repair", CONTROL: "by the control", "difference": "repair − control"}
QUANTITIES: tuple[Quantity, ...] = (
    *(
        Quantity(variant, measure, f"{variant}: {label}", text)
        for variant in ("distilled", "repaired", CONTROL)
        for measure, label, text in _OF_VARIANT
    ),
    *(Quantity("audit", measure, f"audit of distilled: {measure}", number) for measure in ("precision", "recall")),
    *(
        Quantity(f"reduction_{basis}", measure, f"net reduction of {basis} drift {label}", percent)
        for basis in ("audited", "true")
        for measure, label in _REDUCTIONS.items()
    ),
)


def table_seeds(run: Run) -> Table:
    """Table S: each training seed's numbers, with mean, spread and interval."""
    seeds = run.metric("seeds")
    names = [str(seed) for seed in seeds["seeds"]]
    shown = names if len(names) <= MAX_COLUMNS else []
    unknown = NONE if len(names) > 1 else NOT_RUN  # a spread: with several seeds no case at all may be behind it
    body = ruled(_student_rows(run, student, shown, unknown) for student in run.students)
    return Table(
        number="S",
        title="Training seeds: the main path trained and audited anew with each",
        columns=("Student", "Quantity", *(f"Seed {name}" for name in shown), "Mean [95 % CI]", "SD", "Range"),
        rows=body.rows,
        rules=body.rules,
        note=f"A training seed decides LoRA's initial weights, the order of rows and dropout in Stage I, repair and "
        f"control; suite, base, classifiers and rationales are the same. {len(names)} seeds; the first is the "
        "reference seed, which tables of single prompts show. Interval: Student's t over seeds; range: smallest "
        "to largest. "
        "Net reduction: (before − after) / before of drift cases, each seed against its own Stage I. Toxicity × 10⁵. "
        f"{'True drift is known in the embedded world only.' if run.simulated else ''}",
        needs="" if len(names) > 1 else NEEDS,
        simulated=run.simulated,
    )


def _student_rows(run: Run, student: StudentRun, shown: Sequence[str], unknown: str) -> list[Row]:
    quantities = run.metric("seeds", "students", student.slot, "quantities")
    rows: list[Row] = []
    for quantity in QUANTITIES:
        entry: Mapping[str, Any] | None = quantities.get(quantity.group, {}).get(quantity.measure)
        if entry is not None:
            points = (quantity.text(entry["points"][name]) for name in shown)
            rows.append((student.name, quantity.label, *points, *_spread(entry, quantity.text, unknown)))
    return rows


def _spread(entry: Mapping[str, Any], text: Format, unknown: str) -> Row:
    if entry["sd"] is None:
        return (text(entry["mean"]), unknown, unknown)
    smallest, largest = (text(bound) for bound in entry["range"])
    spread = (text(entry["sd"]), f"{smallest} to {largest}")
    if entry["ci"] is None:  # equal seeds: Student's t knows no interval
        return (text(entry["mean"]), *spread)
    low, high = (minus(text(bound)) for bound in entry["ci"])
    return (f"{text(entry['mean'])} [{low}, {high}]", *spread)


_MEASURES: Mapping[str, str] = {"correct": "right answers", "drift": "drift, audited", "true_drift": "drift, true"}


def table_variance(run: Run) -> Table:
    """Table V: how much of the variance lies between training seeds, between items, and in neither alone."""
    rows: list[list[Row]] = []
    for student in run.students:
        by_variant = run.metric("seeds", "students", student.slot, "variance")
        rows.append(
            [
                (student.name, variant, _MEASURES[measure], *_components(entry))
                for variant, measures in by_variant.items()
                for measure, entry in measures.items()
            ]
            or [(student.name, *(NOT_RUN,) * 9)]
        )
    body = ruled(rows)
    several = len(run.metric("seeds", "seeds")) > 1
    return Table(
        number="V",
        title="Where the variance lies: between training seeds, scenarios and items",
        columns=(
            "Student", "Answers", "Measure", "Seeds", "Scenarios", "Items", "Residual", "n seeds", "n items",
            "SE of the rate",
        ),
        rows=body.rows,
        rules=body.rules,
        note="Two-way random-effects analysis of variance of the crossed table of seeds and items, one answer a cell, "
        "by the method of moments; shares of the variance of a single answer. Items: within scenarios, whose prompts "
        "are near-duplicates. Residual: what a seed does to a single "
        "item, which cannot be told from noise. In a rate over n items the parts of items and residual are divided by "
        "n and that of seeds is not, so a small share of seeds may still be the larger part of the rate's error. SE: "
        "of the rate over seeds and items both drawn at random. A negative estimate counts as 0.",
        needs="" if several else NEEDS,
        measured=several,
        simulated=run.simulated,
    )  # fmt: skip


def _components(entry: Mapping[str, Any]) -> Row:
    parts = ("seeds", "scenarios", "items", "residual")
    shares = (percent(entry[name]["share"]) if name in entry else NONE for name in parts)
    return (*shares, str(entry["n_seeds"]), str(entry["n_items"]), number(entry["standard_error"], 4))


TABLES: tuple[Maker, ...] = (table_seeds, table_variance)
