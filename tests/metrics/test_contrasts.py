"""Levels and differences over seeds and items: by hand from the answers of two seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dart.core.schema.method import Equivalence
from dart.metrics.contrasts import recipe_effects
from dart.stats.cluster import scenarios
from dart.stats.crossed import crossed_equivalence, crossed_mean, crossed_ratio
from dart.stats.variance_components import variance_components
from tests.support.finished_run import OTHER_SEED, REFERENCE_SEED, run_of_seed

RUNS = {seed: run_of_seed(seed) for seed in (REFERENCE_SEED, OTHER_SEED)}
ITEMS = RUNS[REFERENCE_SEED].items
STUDENTS = {seed: run.students[0] for seed, run in RUNS.items()}


def right(variant: str, condition: str | None = None) -> np.ndarray:
    return np.array(
        [
            [
                answer.prediction == item.gold
                for item, answer in zip(ITEMS, student.generations[variant], strict=True)
                if condition in (None, item.condition)
            ]
            for student in STUDENTS.values()
        ],
        dtype=float,
    )


def drift(when: str) -> np.ndarray:
    return np.array([[r.severity is not None for r in s.audits[when]] for s in STUDENTS.values()], dtype=float)


@pytest.fixture(scope="module")
def effects() -> dict[str, Any]:
    return recipe_effects(ITEMS, STUDENTS, dict.fromkeys(STUDENTS), 0.95, Equivalence(accuracy=0.02))


def test_levels_and_contrasts_are_crossed_means(effects: dict[str, Any]) -> None:
    assert effects["levels"]["control"]["accuracy"] == crossed_mean(right("control"), bounds=(0, 1)).json()
    found = effects["contrasts"]["control_repaired"]["drift_rate"]
    difference = drift("after") - drift("control")
    assert {key: found[key] for key in found if key != "sd"} == crossed_mean(difference, bounds=(-1, 1)).json()
    parts = variance_components(difference, scenarios(ITEMS))
    assert found["sd"]["residual"] == pytest.approx(parts.residual**0.5, abs=1e-6)
    assert "drift_rate" not in effects["contrasts"]["base_repaired"], "base does not drift from itself"
    assert "true_rate" not in effects["levels"]["repaired"], "the truth is not known"


def test_reductions_are_ratios_of_cases(effects: dict[str, Any]) -> None:
    expected = crossed_ratio(drift("control") - drift("after"), drift("before"))
    assert expected is not None
    assert effects["reductions"]["audited"]["difference"] == expected.json()
    assert effects["severities"]["distilled"]["severe"]["estimate"] == pytest.approx(
        sum(r.severity == "severe" for s in STUDENTS.values() for r in s.audits["before"]) / 2
    )


def test_parsed_rows_are_of_answers_that_parse_on_both_sides(effects: dict[str, Any]) -> None:
    gain = pairs = 0
    for student in STUDENTS.values():
        for item, before, after in zip(
            ITEMS, student.generations["base"], student.generations["repaired"], strict=True
        ):
            if item.benchmark.startswith("D") and before.prediction and after.prediction:
                pairs += 1
                gain += (after.prediction == item.gold) - (before.prediction == item.gold)
    assert effects["contrasts"]["base_repaired"]["D1-D4"]["estimate"] == pytest.approx(gain / pairs, abs=1e-6)


def test_equivalence_is_tested_for_every_part(effects: dict[str, Any]) -> None:
    rows = {(entry["base"], entry["row"]): entry for entry in effects["unchanged"]}
    assert set(rows) == {(base, row) for base in ("distilled", "control") for row in ("overall", "DIFF", "EQUAL")}
    expected = crossed_equivalence(right("repaired", "EQUAL") - right("distilled", "EQUAL"), 0.02).json()
    assert expected.items() <= rows["distilled", "EQUAL"].items()
    assert rows["distilled", "EQUAL"]["n_items"] == 80


def test_one_seed_has_estimates_alone() -> None:
    one = recipe_effects(ITEMS, {42: STUDENTS[42]}, {42: None}, 0.95, Equivalence(accuracy=0.02))
    found = one["contrasts"]["distilled_repaired"]["accuracy"]
    assert (found["ci"], found["p"], found["sd"]) == (None, None, None)
    assert not any(entry["equivalent"] for entry in one["unchanged"])
