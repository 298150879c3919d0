"""Verdicts about the paper's directions: intervals over items and training seeds have to agree."""

from __future__ import annotations

from typing import Any

import pytest

from dart.metrics.run import Run
from dart.metrics.training_seeds import SeedValues, seed_values
from dart.report.verdicts import repair_note, robustness, seed_note, verdict


def _with(run: Run, low: float, high: float, seeds: dict[str, Any] | None = None) -> Run:
    """The run with one arm, whose grave and drift rates differ from the default's by [low, high]."""
    test = {"difference": {"estimate": (low + high) / 2, "ci": [low, high]}, "p": 0.5, "p_holm": 0.5}
    row = {**run.metrics["arms"]["arms"]["uniform"], "against_default": {"drift": test, "grave": test}}
    arms = {**run.metrics["arms"], "arms": {"uniform": row}, "seeds": seeds or {}}
    return run.model_copy(update={"metrics": {**run.metrics, "arms": arms}})


def _points(*values: float) -> dict[str, Any]:
    return {"points": {str(index): value for index, value in enumerate(values)}}


def test_seeds_are_summed_up_by_hand() -> None:
    seeds = SeedValues((0.1, 0.2, 0.6))
    assert seeds.mean == pytest.approx(0.3)
    assert seeds.sd == pytest.approx((0.04 + 0.01 + 0.09) ** 0.5 / 2**0.5)
    assert seeds.range == pytest.approx(0.5)
    half = 4.302653 * seeds.sd / 3**0.5  # t quantile with two degrees of freedom
    assert seeds.interval == pytest.approx((0.3 - half, 0.3 + half), abs=1e-6)


def test_one_seed_is_no_spread(run: Run) -> None:
    assert seed_values(run, "drift_rate") is None
    assert "No arm tries another training seed" in seed_note(run)
    single = {"default": {"drift_rate": _points(0.1)}}
    assert seed_values(_with(run, 0, 1, single), "drift_rate") is None


def test_repair_is_held_against_stage_one_in_every_seed(run: Run) -> None:
    before = run.metric("arms", "arms", "distilled", "drift", "rate")
    seeds = {"default": {"drift_rate": _points(before - 0.1, before, before + 0.1, before + 0.2)}}
    arms = {**run.metrics["arms"], "seeds": seeds}
    note = repair_note(run.model_copy(update={"metrics": {**run.metrics, "arms": arms}}))
    assert (
        f"({100 * before:.1f} % of the pairs) in 1 of 4 training seeds, on average {100 * (before + 0.05):.1f} %"
        in note
    )
    assert repair_note(run) == ""


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
    wide = {"default": {"grave_rate": _points(0.10, 0.18)}}  # reach 0.08
    narrow = {"default": {"grave_rate": _points(0.10, 0.12)}}
    text = verdict(_with(run, 0.04, 0.06, wide), "uniform", "grave_rate", +1)
    assert text == "This run does not show it: another training seed makes as large a difference."
    assert verdict(_with(run, 0.04, 0.06, narrow), "uniform", "grave_rate", +1) == "This run shows it."
    assert "between 0.100 and 0.180" in seed_note(_with(run, 0.04, 0.06, wide), "grave_rate")


def test_paired_seeds_take_the_place_of_the_spread(run: Run) -> None:
    def verdict_of(*values: float) -> str:
        seeds = {"uniform": {"grave_rate": {**_points(0.2, 0.2), "difference": _points(*values)}}}
        return verdict(_with(run, 0.04, 0.06, seeds), "uniform", "grave_rate", +1)

    assert verdict_of(0.05, 0.05, 0.06).startswith(
        "This run shows it (over 3 training seeds, paired: +0.053 [+0.039, +0.068]"
    )
    assert "3 of them in the paper's direction" in verdict_of(0.05, 0.05, 0.06)
    assert verdict_of(0.05, -0.05, 0.06).startswith("This run does not show it (over 3")
    assert verdict_of(-0.05, -0.05, -0.06).startswith("This run does not show it (over 3")  # items and seeds disagree


def test_robustness_names_who_is_surely_worse(run: Run) -> None:
    names = ["uniform", "noise_up_40"]
    assert robustness(_with(run, 0.04, 0.06), names, "drift_rate", +1, "are worse") == (
        "Of 1 that ran, 1 are worse: uniform. "
    )
    assert robustness(_with(run, 0.04, 0.06), names, "drift_rate", -1, "are better") == "Of 1 that ran, 0 are better. "
    within = {"default": {"drift_rate": _points(0.1, 0.3)}}
    assert "uniform: as large a difference as another training seed makes" in robustness(
        _with(run, 0.04, 0.06, within), names, "drift_rate", +1, "are worse"
    )
    assert robustness(run, ["noise_up_40"], "drift_rate", +1, "are worse") == "None of these arms has run. "
