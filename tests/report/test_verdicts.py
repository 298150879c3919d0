"""Verdicts about the paper's directions come from the corrected comparison with all training seeds."""

from __future__ import annotations

from typing import Any

import pytest

from dart.metrics.run import Run
from dart.metrics.training_seeds import SeedValues, seed_values, summary
from dart.report.verdicts import repair_note, robustness, seed_note, verdict


def _with(run: Run, estimate: float, p_holm: float | None, seeds: dict[str, Any] | None = None) -> Run:
    """The run with one arm, whose grave and drift rates differ from those of five seeds of the default."""
    test = {"estimate": estimate, "ci": [estimate - 0.01, estimate + 0.01], "p": 0.001, "n_seeds": 5}
    test |= {} if p_holm is None else {"p_holm": p_holm}
    row = {**run.metrics["arms"]["arms"]["uniform"], "against_seeds": {"drift_rate": test, "grave_rate": test}}
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
    ("estimate", "p_holm", "text"),
    [
        (0.02, 0.01, "This run shows it: rate of severe or extreme cases +0.020 [+0.010, +0.030] against 5 seeds"),
        (0.02, 0.2, "Not shown: rate of severe or extreme cases +0.020"),
        (-0.02, 0.01, "This run shows the opposite"),
        (0.02, None, "Not tested"),
    ],
)
def test_the_corrected_test_over_seeds_decides(run: Run, estimate: float, p_holm: float | None, text: str) -> None:
    assert verdict(_with(run, estimate, p_holm), "uniform", "grave_rate", +1).startswith(text)


def test_an_arm_that_has_not_run_shows_nothing(run: Run) -> None:
    assert verdict(run, "noise_up_40", "drift_rate", +1) == "noise_up_40 has not run."


def test_with_one_seed_nothing_is_shown(run: Run) -> None:
    single = _with(run, 0.02, 0.01)
    row = single.metrics["arms"]["arms"]["uniform"]
    row["against_seeds"] = {"drift_rate": {"estimate": 0.02, "ci": None, "p": None, "n_seeds": 1}}
    assert verdict(single, "uniform", "drift_rate", +1).startswith("Not shown: with one training seed")
    assert robustness(single, ["uniform"], "drift_rate", +1, "are worse").startswith("With one training seed no arm")
    assert "between 0.100 and 0.180" in seed_note(
        _with(run, 0.05, 0.2, {"grave_rate": _points(0.10, 0.18)}), "grave_rate"
    )


def test_robustness_names_who_is_worse(run: Run) -> None:
    names = ["uniform", "noise_up_40"]
    assert robustness(_with(run, 0.05, 0.01), names, "drift_rate", +1, "are worse") == (
        "Of 1 that ran, 1 are worse: uniform. "
    )
    assert robustness(_with(run, 0.05, 0.01), names, "drift_rate", -1, "are better") == "Of 1 that ran, 0 are better. "
    assert robustness(_with(run, 0.05, 0.3), names, "drift_rate", +1, "are worse") == "Of 1 that ran, 0 are worse. "
    assert robustness(run, ["noise_up_40"], "drift_rate", +1, "are worse") == "None of these arms has run. "
