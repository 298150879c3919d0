"""metrics/headline.json: few numbers, means over all seeds, as in seeds.json, and absent where unknown."""

from __future__ import annotations

from statistics import fmean
from typing import Any

import pytest

from dart.metrics.headline import MAX_LEAVES, headline_metrics
from dart.metrics.run import CONTROL, Run
from dart.metrics.training_seeds import seed_metrics
from tests.support.finished_run import OTHER_SEED, REFERENCE_SEED, run_of_seed


def test_it_is_flat_small_and_rounded(evaluated: dict[str, Any]) -> None:
    headline = evaluated["metrics/headline.json"]
    assert list(headline) == ["small", "base"]
    for leaves in headline.values():
        assert 0 < len(leaves) <= MAX_LEAVES
        assert all(isinstance(value, int | float) and value == round(value, 4) for value in leaves.values())


def test_numbers_are_means_over_the_seeds(run: Run, evaluated: dict[str, Any]) -> None:
    leaves = evaluated["metrics/headline.json"]["base"]
    students = [run_of_seed(seed).students[1] for seed in (REFERENCE_SEED, OTHER_SEED)]
    assert (leaves["n"], leaves["n_seeds"]) == (len(run.items), 2)

    def accuracy(variant: str) -> float:
        return fmean(
            answer.prediction == item.gold
            for student in students
            for item, answer in zip(run.items, student.generations[variant], strict=True)
        )

    assert leaves["accuracy"] == pytest.approx(accuracy("repaired"), abs=5e-5)
    assert leaves["accuracy_gain"] == pytest.approx(accuracy("repaired") - accuracy("base"), abs=1e-4)
    cases = {
        when: sum(r.severity is not None for student in students for r in student.audits[when])
        for when in ("before", "after", "control")
    }
    assert leaves["drift_rate_before"] == pytest.approx(cases["before"] / 2 / len(run.items), abs=5e-5)
    assert leaves["reduction_vs_control"] == pytest.approx(
        (cases["control"] - cases["after"]) / cases["before"], abs=5e-5
    )
    assert leaves["reduction_vs_control_low"] < leaves["reduction_vs_control"] < leaves["reduction_vs_control_high"]


def test_bounds_are_those_of_the_interval_over_seeds_and_items(evaluated: dict[str, Any]) -> None:
    leaves = evaluated["metrics/headline.json"]["small"]
    student = evaluated["metrics/seeds.json"]["students"]["small"]
    for name, entry in (
        ("accuracy_gain", student["contrasts"]["base_repaired"]["accuracy"]),
        ("reduction_vs_control", student["reductions"]["audited"]["difference"]),
    ):
        assert [leaves[f"{name}_{side}"] for side in ("low", "high")] == [round(bound, 4) for bound in entry["ci"]]


def test_without_a_control_or_a_second_seed_keys_are_absent() -> None:
    run = run_of_seed(REFERENCE_SEED)
    student = run.students[0]
    alone = student.model_copy(
        update={
            "generations": {name: answers for name, answers in student.generations.items() if name != CONTROL},
            "audits": {name: records for name, records in student.audits.items() if name != CONTROL},
        }
    )
    leaves = headline_metrics(seed_metrics({42: run.model_copy(update={"students": (alone,)})}, None))["small"]
    assert leaves["n_seeds"] == 1
    assert not [name for name in leaves if name.startswith("reduction_vs_control") or name.endswith(("_low", "_high"))]
    assert leaves["accuracy"] > 0
