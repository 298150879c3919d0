"""plots/*.json: flat lists of points in the columns that `dvc plots` draws (templates in .dvc/plots).

Every file has the column `run`, "<student>/<variant>": the templates draw one line or bar for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dart.core.records import SEVERITIES
from dart.metrics.run import CONTROL, Run

RATES = ("accuracy", "equal_accuracy", "diff_accuracy", "parse_rate")
Points = list[dict[str, Any]]


def plot_points(run: Run, metrics: Mapping[str, Any]) -> dict[str, Points]:
    """{"plots/<name>.json": points} of loss, stages, drift and benchmarks.

    loss: run, step, loss. stages: run, metric, value, low, high (95 % interval). drift: run (before | after |
    control), severity, cases. benchmarks: run, benchmark, n, n_parsed, accuracy, accuracy_parsed.

    Args:
        metrics: contents of metrics/<name>.json by name: decision, tests and repair.
    """
    return {
        "plots/loss.json": _loss(run),
        "plots/stages.json": _stages(run, metrics["decision"], metrics["tests"]["intervals"]),
        "plots/drift.json": _drift(run, metrics["repair"]),
        "plots/benchmarks.json": _benchmarks(run, metrics["decision"]),
    }


def _loss(run: Run) -> Points:
    return [
        {"run": f"{student.slot}/{name}", "step": point.step, "loss": round(point.loss, 4)}
        for student in run.students
        for name, adapter in student.adapters.items()
        for point in adapter.loss
    ]


def _stages(run: Run, decision: Mapping[str, Any], intervals: Mapping[str, Any]) -> Points:
    points = []
    for student in run.students:
        for variant in student.variants:
            for metric in RATES:
                value = decision[student.slot][variant][metric]
                low, high = intervals[student.slot][variant][metric]["ci"] or (value, value)
                label = {"run": f"{student.slot}/{variant}", "metric": metric}
                points.append(label | {"value": value, "low": low, "high": high})
    return points


def _drift(run: Run, repair: Mapping[str, Any]) -> Points:
    return [
        {"run": f"{student.slot}/{when}", "severity": severity, "cases": count}
        for student in run.students
        for when, counts in audited_cases(repair[student.slot]).items()
        for severity, count in counts.items()
    ]


def audited_cases(repair: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """{"before" | "after" | "control": {severity: cases}} of one student's entry in metrics/repair.json."""
    arms = repair["audited"]
    cases: dict[str, dict[str, int]] = {
        when: {s: arms["repair"]["by_severity"][s][when] for s in SEVERITIES} for when in ("before", "after")
    }
    if CONTROL in arms:
        cases[CONTROL] = {s: arms[CONTROL]["by_severity"][s]["after"] for s in SEVERITIES}
    return cases


def _benchmarks(run: Run, decision: Mapping[str, Any]) -> Points:
    return [
        {"run": f"{student.slot}/{variant}", "benchmark": name, **entry}
        for student in run.students
        for variant in student.variants
        for name, entry in decision[student.slot][variant]["by_benchmark"].items()
    ]
