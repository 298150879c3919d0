"""metrics/seeds.json: every seed's numbers as the main path computes them, and their spread by hand."""

from __future__ import annotations

from statistics import fmean, stdev
from typing import Any

import pytest

from dart.metrics.run import Run
from dart.metrics.training_seeds import seed_metrics, seed_values, summary
from dart.stats.cluster import scenarios
from dart.stats.variance_components import variance_components
from tests.support.finished_run import OTHER_SEED, REFERENCE_SEED, run_of_seed, truth_of


@pytest.fixture(scope="module")
def seeds(evaluated: dict[str, Any]) -> dict[str, Any]:
    return dict(evaluated["metrics/seeds.json"])


def test_points_are_counted_by_hand_for_each_seed(seeds: dict[str, Any]) -> None:
    quantities = seeds["students"]["small"]["quantities"]
    for seed in (REFERENCE_SEED, OTHER_SEED):
        run = run_of_seed(seed)
        student, truth = run.students[0], truth_of(run)["small"]
        answers = student.generations["repaired"]
        right = sum(answer.prediction == item.gold for item, answer in zip(run.items, answers, strict=True))
        assert quantities["repaired"]["accuracy"]["points"][str(seed)] == right / 160
        mean = fmean(1e5 * (answer.toxicity or 0.0) for answer in answers)
        assert quantities["repaired"]["toxicity_mean_x1e5"]["points"][str(seed)] == pytest.approx(mean)
        cases = {
            when: {r.item_id for r in student.audits[when] if r.severity} for when in ("before", "after", "control")
        }
        assert quantities["distilled"]["drift_cases"]["points"][str(seed)] == len(cases["before"])
        hits = len(cases["before"] & truth["distilled"].keys())
        assert quantities["audit"]["precision"]["points"][str(seed)] == pytest.approx(hits / len(cases["before"]))
        by_repair, by_control = (1 - len(cases[when]) / len(cases["before"]) for when in ("after", "control"))
        reduction = quantities["reduction_audited"]
        assert reduction["repaired"]["points"][str(seed)] == pytest.approx(by_repair, abs=1e-6)
        assert reduction["difference"]["points"][str(seed)] == pytest.approx(by_repair - by_control, abs=1e-6)
        true = 1 - len(truth["repaired"]) / len(truth["distilled"])
        assert quantities["reduction_true"]["repaired"]["points"][str(seed)] == pytest.approx(true, abs=1e-6)


def test_the_seeds_differ_or_the_test_above_shows_nothing(seeds: dict[str, Any]) -> None:
    points = seeds["students"]["small"]["quantities"]["repaired"]["accuracy"]["points"]
    assert len(set(points.values())) == 2


def test_the_headline_is_the_mean_of_the_seeds_headlines(seeds: dict[str, Any], evaluated: dict[str, Any]) -> None:
    for slot, leaves in evaluated["metrics/headline.json"].items():
        of_seeds = seeds["students"][slot]["quantities"]["headline"]
        for leaf in ("n", "accuracy", "accuracy_gain", "drift_rate_before", "toxic_share_after", "parse_rate"):
            assert leaves[leaf] == pytest.approx(of_seeds[leaf]["mean"], abs=1e-4)


def test_a_summary_by_hand() -> None:
    found = summary({42: 0.1, 0: 0.2, 1: None, 2: 0.6})
    assert found["points"] == {"42": 0.1, "0": 0.2, "1": None, "2": 0.6}
    assert (found["n"], found["mean"], found["range"]) == (3, 0.3, [0.1, 0.6])
    assert found["sd"] == pytest.approx(stdev([0.1, 0.2, 0.6]), abs=1e-6)
    half = 4.302653 * stdev([0.1, 0.2, 0.6]) / 3**0.5  # t quantile with two degrees of freedom
    assert found["ci"] == pytest.approx([0.3 - half, 0.3 + half], abs=1e-5)


def test_one_value_has_no_spread_and_none_has_nothing() -> None:
    one = summary({42: 0.5, 0: None})
    assert (one["n"], one["mean"], one["sd"], one["ci"], one["range"]) == (1, 0.5, None, None, [0.5, 0.5])
    assert summary({42: None}) == {"points": {"42": None}, "n": 0, "mean": None, "sd": None, "ci": None, "range": None}


def test_one_seed_is_a_table_of_points() -> None:
    run = run_of_seed(REFERENCE_SEED)
    found = seed_metrics({REFERENCE_SEED: run}, None)
    small = found["students"]["small"]
    assert found["seeds"] == [REFERENCE_SEED]
    assert small["variance"] == {}
    assert small["quantities"]["repaired"]["accuracy"]["sd"] is None
    assert "audit" not in small["quantities"]  # the truth is not known
    assert "true_cases" not in small["quantities"]["repaired"]


def test_components_are_over_seeds_and_items(seeds: dict[str, Any]) -> None:
    runs = [run_of_seed(seed) for seed in (REFERENCE_SEED, OTHER_SEED)]
    right = [
        [
            answer.prediction == item.gold
            for item, answer in zip(run.items, run.students[0].generations["control"], strict=True)
        ]
        for run in runs
    ]
    found = seeds["students"]["small"]["variance"]
    assert found["control"]["correct"] == variance_components(right, scenarios(runs[0].items)).json()
    assert found["control"]["correct"]["n_items"] == 160
    assert set(found) == {"distilled", "repaired", "control"}
    assert set(found["repaired"]) == {"correct", "drift", "true_drift"}


def test_values_are_read_from_the_file(run: Run) -> None:
    values = seed_values(run, "small", "repaired", "accuracy")
    assert values is not None
    assert len(values.values) == 2
    assert seed_values(run, "small", "repaired", "nonsense") is None
    assert seed_values(run.model_copy(update={"metrics": {}}), "small", "repaired", "accuracy") is None
