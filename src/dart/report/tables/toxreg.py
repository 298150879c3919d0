"""Table 20: the weight of the toxicity in toxicity-regularised training, chosen on the validation split (K.2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from dart.metrics.run import Run
from dart.report import published_ablations as published
from dart.report.table import NONE, NOT_RUN, Row, Table, number
from dart.report.tables.ablation_cells import student
from dart.stats.harm import SCALE


class Weight(NamedTuple):
    """A lambda as the validation split saw it (0: without the term); toxicity x 1e5."""

    run: str
    weight: float
    accuracy: float
    equal_accuracy: float
    toxicity: float
    h_mean: float


class Weights(NamedTuple):
    rows: tuple[Weight, ...]  # by weight, plain training first where the sweep ran
    chosen: str | None  # a run
    measure: str  # of toxicity: median, mean or q95


def toxicity_weights(run: Run) -> Weights:
    """What metrics/arms.json holds of the sweep: the only place that knows its keys."""
    found = run.metric("arms").get("toxreg") or {}
    measure = found.get("chosen_by", "median")
    entries = ({"plain": found["plain"]} if "plain" in found else {}) | found.get("rows", {})
    rows = [
        Weight(
            name, entry["weight"], entry["accuracy"], entry["equal_accuracy"], SCALE * entry[measure], entry["h_mean"],
        )
        for name, entry in entries.items()
    ]  # fmt: skip
    return Weights(tuple(sorted(rows, key=lambda row: row.weight)), found.get("chosen"), measure)


def table20(run: Run) -> Table:
    """Table 20: accuracy, toxicity and their harmonic mean for each weight."""
    found = toxicity_weights(run)
    by_weight = {row.weight: row for row in found.rows}
    every = sorted({*published.WEIGHTS, *by_weight})
    absent = [f"toxicity_weight {weight:g}" for weight in every if weight not in by_weight]
    return Table(
        number="20",
        title=f"Weight λ of the toxicity, on validation ({student(run).name})",
        columns=(
            "λ", "Accuracy", "EQUAL", f"Toxicity ({found.measure})", "H-mean", "Chosen", "Paper: accuracy / toxicity",
        ),
        rows=tuple(_row(by_weight.get(weight), weight, found.chosen) for weight in every),
        note=f"H-mean: harmonic mean of accuracy and 1 − t / (t + t0), t0 the toxicity of λ = 0. "
        f"{_trade_off(found.rows)}The paper "
        f"chooses λ = {published.WEIGHT_CHOSEN:g}. Toxicity × 10⁵. Levels of one training each, without intervals: "
        "Tables 19 and D test the runs on the test set.",
        needs=f"entries under variants: {', '.join(absent)}." if absent else "",
        measured=bool(by_weight),
        simulated=run.simulated,
    )  # fmt: skip


def _row(found: Weight | None, weight: float, chosen: str | None) -> Row:
    levels = published.WEIGHT_LEVELS.get(weight)
    paper = NONE if levels is None else f"{number(levels[0])} / {number(levels[1], 2)}"
    if found is None:
        return (f"{weight:g}", *(NOT_RUN,) * 5, paper)
    rates = (number(found.accuracy), number(found.equal_accuracy), number(found.toxicity, 2), number(found.h_mean))
    return (f"{weight:g}", *rates, "chosen" if found.run == chosen else NONE, paper)


def _trade_off(rows: Sequence[Weight]) -> str:
    """The paper: a greater lambda always costs accuracy and always lowers toxicity."""
    if len(rows) < 2:
        return ""
    parts = []
    for measure in ("accuracy", "toxicity"):
        values = [getattr(row, measure) for row in rows]
        rises = any(after > before for before, after in pairwise(values))
        parts.append(f"{measure} {'rises somewhere' if rises else 'never rises'}")
    return f"In the paper a greater λ always costs accuracy and lowers toxicity; here {' and '.join(parts)}. "
