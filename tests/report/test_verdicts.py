"""Verdicts about the paper's directions: intervals over items and training seeds have to agree."""

from __future__ import annotations

from typing import Any

import pytest

from dart.metrics.run import Run
from dart.metrics.training_seeds import SeedValues, seed_values, summary
from dart.report.verdicts import repair_note, robustness, seed_note, verdict


def _with(run: Run, low: float, high: float, seeds: dict[str, Any] | None = None) -> Run:
    """The run with one arm, whose grave and drift rates differ from the default's by [low, high]."""
    test = {"difference": {"estimate": (low + high) / 2, "ci": [low, high]}, "p": 0.5, "p_holm": 0.5}
    row = {**run.metrics["arms"]["arms"]["uniform"], "against_default": {"drift": test, "grave": test}}
    arms = {**run.metrics["arms"], "arms": {"uniform": row}}
    return _seeds(run.model_copy(update={"metrics": {**run.metrics, "arms": arms}}), seeds or {})


def _seeds(run: Run, repaired: dict[str, Any], distilled: dict[str, Any] | None = None) -> Run:
    """The run with these quantities of the arms' student over training seeds."""
    quantities = {"repaired": repaired, "distilled": distilled or {}}
    seeds = {"students": {"small": {"quantities": quantities}}}
    return run.model_copy(update={"metrics": {**run.metrics, "seeds": seeds}})


def _points(*values: float) -> dict[str, Any]:
    return summary(dict(enumerate(values)))


def test_seeds_are_summed_up_by_hand() -> None:
    seeds = SeedValues((0.1, 0.2, 0.6))
    assert seeds.mean == pytest.approx(0.3)
    assert seeds.sd == pytest.approx((0.04 + 0.01 + 0.09) ** 0.5 / 2**0.5)
    assert seeds.range == pytest.approx(0.5)
    half = 4.302653 * seeds.sd / 3**0.5  # t quantile with two degrees of freedom
    assert seeds.interval() == pytest.approx((0.3 - half, 0.3 + half), abs=1e-6)


def test_one_seed_is_no_spread(run: Run) -> None:
    single = _seeds(run, {"drift_rate": _points(0.1)})
    assert seed_values(single, "small", "repaired", "drift_rate") is None
    assert "The main path has one training seed" in seed_note(single)
    assert seed_values(run, "small", "repaired", "drift_rate") is not None


def test_repair_is_held_against_stage_one_in_every_seed(run: Run) -> None:
    repaired, distilled = _points(0.1, 0.2, 0.3, 0.4), _points(0.2, 0.2, 0.2, 0.3)
    note = repair_note(_seeds(run, {"drift_rate": repaired}, {"drift_rate": distilled}))
    assert "in 1 of 4 training seeds, on average 25.0 % of the pairs after 22.5 %" in note
    assert repair_note(_seeds(run, {})) == ""


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.01, 0.03, "This run shows it (with one training seed)."),
        (-0.01, 0.03, "does not show it: the interval of the difference holds 0."),
        (-0.03, -0.01, "This run shows the opposite"),
    ],
)
def test_the_interval_over_items_decides_first(run: Run, low: float, high: float, text: str) -> None:
    assert text in verdict(_with(run, low, high), "uniform", "grave_rate", +1)


def test_an_arm_that_has_not_run_shows_nothing(run: Run) -> None:
    assert verdict(run, "noise_up_40", "drift_rate", +1) == "noise_up_40 has not run."


def test_a_difference_that_another_seed_makes_as_well_shows_nothing(run: Run) -> None:
    wide = {"grave_rate": _points(0.10, 0.18)}  # reach 0.08
    narrow = {"grave_rate": _points(0.10, 0.12)}
    text = verdict(_with(run, 0.04, 0.06, wide), "uniform", "grave_rate", +1)
    assert text == "This run does not show it: another training seed makes as large a difference."
    assert verdict(_with(run, 0.04, 0.06, narrow), "uniform", "grave_rate", +1) == "This run shows it."
    assert "between 0.100 and 0.180" in seed_note(_with(run, 0.04, 0.06, wide), "grave_rate")


def test_robustness_names_who_is_surely_worse(run: Run) -> None:
    names = ["uniform", "noise_up_40"]
    assert robustness(_with(run, 0.04, 0.06), names, "drift_rate", +1, "are worse") == (
        "Of 1 that ran, 1 are worse: uniform. "
    )
    assert robustness(_with(run, 0.04, 0.06), names, "drift_rate", -1, "are better") == "Of 1 that ran, 0 are better. "
    within = {"drift_rate": _points(0.1, 0.3)}
    assert "uniform: as large a difference as another training seed makes" in robustness(
        _with(run, 0.04, 0.06, within), names, "drift_rate", +1, "are worse"
    )
    assert robustness(run, ["noise_up_40"], "drift_rate", +1, "are worse") == "None of these arms has run. "
