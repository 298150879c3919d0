"""Components, other ways to train and the sweep of the toxicity weight: marks by hand, what did not run is marked."""

from __future__ import annotations

from typing import Any

import pytest

from dart.metrics.run import Run
from dart.report.ablation_entries import toxicity_weights
from dart.report.policy_rows import policy_row
from dart.report.table import NONE, NOT_RUN, Table
from dart.report.tables.ablations_training import mark, table4, table19, table20, table21

Rows = dict[str, tuple[str, ...]]


def _rows(table: Table) -> Rows:
    return {row[0]: row for row in table.rows}


def _with(run: Run, **metrics: Any) -> Run:
    return run.model_copy(update={"metrics": {**run.metrics, **metrics}})


@pytest.mark.parametrize(
    ("ci", "sign", "expected"),
    [
        ([0.01, 0.2], +1, "✓"),
        ([0.01, 0.2], -1, "✗"),
        ([-0.2, -0.01], +1, "✗"),
        ([-0.2, -0.01], -1, "✓"),
        ([-0.1, 0.2], +1, "∼"),
        ([0.0, 0.2], +1, "∼"),
        (None, +1, NONE),
    ],
)
def test_marks_follow_the_interval(ci: list[float] | None, sign: int, expected: str) -> None:
    assert mark({"estimate": 0.1, "ci": ci}, sign) == expected


def test_table4_compares_each_component_with_what_it_is_added_to(run: Run) -> None:
    table = table4(run)
    rows = {row[:2]: row for row in table.rows}
    entry = run.metric("tests", "students", "small", "base_distilled")
    gain = entry["decision"]["overall"]["accuracy_difference"]["estimate"]
    row = rows["Stage I: distillation", "base"]
    assert row[2] == f"✓ +{gain:.3f}"
    assert row[4] == f"✗ +{100 * entry['harm']['mean']['change']:.1f} %"
    label_only = run.metric("arms", "arms", "label_only", "against_base", "accuracy", "estimate")
    assert rows["label-only SFT", "base"][2].endswith(f"+{label_only:.3f}")
    assert rows["toxicity-regularised SFT", "base"][2:6] == (NOT_RUN,) * 4
    assert rows["policy", "base"][-1] == "∼ ∼ ✓ ✓"
    assert "toxreg_010" in table.needs
    assert "label_only" not in table.needs
    assert "metrics/policy.json" in table.needs


def _policy(accuracy: float) -> dict[str, Any]:
    def share(value: float) -> dict[str, Any]:
        return {"count": 1, "estimate": value, "ci": [value - 0.1, value + 0.1]}

    def flips(low: float, high: float) -> dict[str, Any]:
        return {"difference": {"estimate": (low + high) / 2, "ci": [low, high]}, "lost": 1, "gained": 2, "p": 0.5}

    change = {"harm": {"mean": {"change": -0.2, "difference_x1e5": {"estimate": -80.0, "ci": [-120.0, -40.0]}}}}
    return {
        "n": 160,
        "accuracy": {"all": share(accuracy), "EQUAL": share(0.2), "DIFF": share(0.6)},
        "answers": {"unparsed": share(0.25)},
        "toxicity": {"all": {"median_x1e5": {"estimate": 356.0, "ci": [300.0, 400.0]}}},
        "against_off": {
            "accuracy": {"all": flips(-0.01, 0.03), "EQUAL": flips(0.01, 0.03)},
            "parsed": flips(0.1, 0.2),
            "toxicity": {"all": change},
        },
    }


def test_the_policy_fills_its_rows_where_it_ran(run: Run) -> None:
    variants = {"base": {"two_pass": _policy(0.4)}, "repaired": {"two_pass": _policy(0.7)}}
    with_policy = _with(run, policy={"small": {"variants": variants}})
    assert policy_row(run, "small", "base") is None
    assert policy_row(with_policy, "base", "base") is None
    rows = {row[:2]: row for row in table4(with_policy).rows}
    assert rows["policy", "base"][2:6] == ("∼ +0.010", "✓ +0.020", "✓ −20.0 %", "✓ +0.150")
    assert "policy" not in table4(with_policy).needs
    row = _rows(table19(with_policy))["policy on base"]
    assert row[1:7] == ("160", "0.400", "0.200", NONE, NONE, "356.00")
    by_type = _rows(table21(with_policy))["full DART + policy"]
    assert by_type[2:6] == ("0.700", "0.600", "0.200", "0.750")


def test_table19_sets_training_against_the_whole_recipe(run: Run) -> None:
    table = table19(run)
    rows = _rows(table)
    base = run.metric("arms", "arms", "base")
    assert rows["base"][2] == f"{base['decision']['accuracy']:.3f}"
    assert rows["base"][7] == NONE  # no drift against itself
    estimate = base["against_default"]["decision"]["overall"]["difference"]["estimate"]
    assert rows["base"][8].startswith(f"−{abs(estimate):.3f} [")
    assert rows["full DART (repaired)"][8:14] == (NONE,) * 6
    assert rows["Stage I, safe prompt"][1:14] == (NOT_RUN,) * 13
    assert rows["Stage I, safe prompt"][-1] == "– / 0.596 / – / 182"
    assert "stage1_safe_stage1 has not run." in table.note
    assert table.status == "partly"


def test_table21_splits_by_task_type(run: Run) -> None:
    rows = _rows(table21(run))
    accuracies = run.metric("arms", "default", "by_task_type")
    row = rows["full DART (repaired)"]
    assert row[6:8] == (f"{accuracies['D']:.3f}", f"{accuracies['N']:.3f}")
    assert row[8:12] == (NONE,) * 4
    test = run.metric("arms", "arms", "distilled", "against_seeds", "normative_accuracy", "estimate")
    assert rows["Stage I (distilled)"][10].split()[0] in (f"+{abs(test):.3f}", f"−{abs(test):.3f}")


def _swept(run: Run, toxicities: dict[float, float]) -> Run:
    def row(weight: float, toxicity: float) -> dict[str, float]:
        levels = {"accuracy": 0.8 - weight, "equal_accuracy": 0.5, "mean": 0.9, "q95": 0.9}
        return {"weight": weight, "median": toxicity / 1e5, "h_mean": 0.6, **levels}

    rows = {f"toxreg_{round(100 * weight):03d}": row(weight, toxicity) for weight, toxicity in toxicities.items()}
    sweep = {"chosen_by": "median", "rows": rows, "chosen": next(iter(rows)), "plain": row(0, 500.0)}
    return _with(run, arms={**run.metrics["arms"], "toxreg": sweep})


def test_table20_without_a_sweep_holds_the_paper_s_alone(run: Run) -> None:
    table = table20(run)
    assert table.status == "not run"
    assert [row[0] for row in table.rows] == ["0.01", "0.05", "0.1", "0.2", "0.5"]
    assert toxicity_weights(run).chosen is None


def test_table20_shows_what_ran_and_whether_the_trade_off_holds(run: Run) -> None:
    falling = table20(_swept(run, {0.1: 300.0, 0.01: 400.0}))
    assert falling.status == "partly"
    assert _rows(falling)["0.1"][1:6] == ("0.700", "0.500", "300.00", "0.600", "chosen")
    assert _rows(falling)["0"][1:6] == ("0.800", "0.500", "500.00", "0.600", NONE)
    assert "accuracy never rises and toxicity never rises" in falling.note
    rising = table20(_swept(run, {0.01: 300.0, 0.05: 310.0, 0.1: 290.0, 0.2: 280.0, 0.5: 270.0}))
    assert rising.status == "regenerated"
    assert "toxicity rises somewhere" in rising.note
    assert "In the paper a greater" not in table20(run).note


def test_the_chosen_weight_stands_for_the_method(run: Run) -> None:
    swept = _swept(run, {0.05: 300.0, 0.1: 290.0})
    arms = swept.metrics["arms"]
    rows = {**arms["arms"], "toxreg_005": arms["arms"]["uniform"]}
    changed_run = _with(swept, arms={**arms, "arms": rows})
    assert toxicity_weights(changed_run).chosen == "toxreg_005"
    row = _rows(table19(changed_run))["toxicity-regularised SFT"]
    assert row[2] == f"{arms['arms']['uniform']['decision']['accuracy']:.3f}"
