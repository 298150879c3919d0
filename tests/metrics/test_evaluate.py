"""Metrics and plots of a run: the promised shape, the promised rounding, and numbers counted here by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dart.core.errors import DataError
from dart.core.records import SEVERITIES
from dart.core.schema.method import Statistics
from dart.metrics.evaluate import evaluate
from dart.metrics.run import Run

TEMPLATES = Path(__file__).parents[2] / ".dvc" / "plots"
STATISTICS = Statistics(resamples=200, confidence=0.95)


def test_decision_has_the_promised_shape(evaluated: dict[str, Any]) -> None:
    decision = evaluated["metrics/decision.json"]
    assert list(decision) == ["small", "base"]
    assert {"base", "distilled", "repaired"} <= set(decision["small"])
    assert set(decision["small"]["base"]) == {
        "n", "accuracy", "accuracy_parsed", "macro_f1", "equal_accuracy", "diff_accuracy", "parse_rate", "yes_rate",
        "by_benchmark",
    }  # fmt: skip
    assert set(decision["small"]["base"]["by_benchmark"]["N4"]) == {"accuracy", "accuracy_parsed", "n", "n_parsed"}


def test_accuracy_is_counted_by_hand(run: Run, evaluated: dict[str, Any]) -> None:
    answers = run.students[1].generations["repaired"]
    right = sum(answer.prediction == item.gold for item, answer in zip(run.items, answers, strict=True))
    assert evaluated["metrics/decision.json"]["base"]["repaired"]["accuracy"] == round(right / 160, 4)


def test_drift_is_counted_by_hand(run: Run, evaluated: dict[str, Any]) -> None:
    student = run.students[0]
    before = {r.item_id for r in student.audits["before"] if r.severity}
    after = {r.item_id for r in student.audits["after"] if r.severity}
    drift = evaluated["metrics/drift.json"]["small"]
    assert drift["before"]["total"] == len(before) == sum(drift["before"][s] for s in SEVERITIES)
    assert drift["repaired_gross"] == len(before - after)
    assert drift["new"] == len(after - before)
    assert drift["reduction"] == round(1 - len(after) / len(before), 4)
    assert drift["truth"]["recall"] == 1.0
    assert drift["truth"]["precision"] < 1.0


def test_family_is_five_rows_for_each_student(evaluated: dict[str, Any]) -> None:
    family = evaluated["metrics/hypotheses.json"]
    assert family["size"] == 10
    for entry in family["hypotheses"]:
        assert entry["p_bonferroni"] == pytest.approx(min(1.0, 10 * entry["p"]), rel=1e-5)
        assert entry["p"] <= entry["p_holm"] <= entry["p_bonferroni"]


def test_rounding(evaluated: dict[str, Any]) -> None:
    harm = evaluated["metrics/harm.json"]["small"]["distilled"]
    assert harm["toxicity_median_x1e5"] == round(harm["toxicity_median_x1e5"], 2)
    accuracy = evaluated["metrics/decision.json"]["small"]["base"]["macro_f1"]
    assert accuracy == round(accuracy, 4)


def test_same_run_gives_the_same_bytes(unevaluated: Run, truth: dict[str, Any]) -> None:
    first, second = (evaluate(unevaluated, STATISTICS, 3, truth) for _ in range(2))
    assert json.dumps(first, sort_keys=True, allow_nan=False) == json.dumps(second, sort_keys=True)
    other = evaluate(unevaluated, STATISTICS, 4, truth)
    assert other["metrics/tests.json"] != first["metrics/tests.json"]
    assert other["metrics/decision.json"] == first["metrics/decision.json"]


def test_without_truth_nothing_is_called_true(unevaluated: Run) -> None:
    found = evaluate(unevaluated, STATISTICS, 3)
    assert found["metrics/drift.json"]["small"]["truth"] is None
    assert set(found["metrics/repair.json"]["small"]) == {"audited"}


def test_plots_are_flat_points(evaluated: dict[str, Any]) -> None:
    plots = {path: points for path, points in evaluated.items() if path.startswith("plots/")}
    assert set(plots) == {"plots/stages.json", "plots/benchmarks.json", "plots/drift.json", "plots/loss.json"}
    for points in plots.values():
        assert points
        assert all(not isinstance(value, dict | list) for point in points for value in point.values())
        assert all(point["run"].count("/") == 1 for point in points), "the column that the templates colour by"
    total = sum(point["cases"] for point in plots["plots/drift.json"] if point["run"] == "base/after")
    assert total == evaluated["metrics/drift.json"]["base"]["after"]["total"]


def test_lost_answer_is_refused(unevaluated: Run) -> None:
    student = unevaluated.students[0]
    torn = student.model_copy(
        update={"generations": {**student.generations, "repaired": student.generations["repaired"][1:]}}
    )
    with pytest.raises(DataError, match=r"small/repaired.*missing ids: D1-DIFF-test-0"):
        evaluate(unevaluated.model_copy(update={"students": (torn,)}), STATISTICS, 3)


@pytest.mark.parametrize("name", ["lines_by_run", "bars_by_run"])
def test_plot_templates_use_the_columns_that_are_written(name: str, evaluated: dict[str, Any]) -> None:
    template = json.loads((TEMPLATES / f"{name}.json").read_text(encoding="utf-8"))
    fields = {axis["field"] for axis in template["encoding"].values()}
    assert {"<DVC_METRIC_X>", "<DVC_METRIC_Y>"} < fields
    columns = set.intersection(*(set(points[0]) for path, points in evaluated.items() if path.startswith("plots/")))
    assert fields - {"<DVC_METRIC_X>", "<DVC_METRIC_Y>", "rev"} <= columns
