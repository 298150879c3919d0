"""`dart power`: seeds and items for a difference, against simulation and by monotonicity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dart.cli.app import main
from dart.core.errors import DataError
from dart.core.files import write_json
from dart.metrics.power import power_report, render
from dart.stats.crossed import crossed_mean
from dart.stats.power import CrossedVariance, crossed_power, detectable_over_seeds, seeds_needed

SD = CrossedVariance(0.05, 0.3, 0.2)


@pytest.mark.parametrize("difference", [0.0, 0.08])
def test_power_is_how_often_the_interval_excludes_zero(difference: float) -> None:
    draws, hits, n = np.random.default_rng(1), 0, 1500
    for _ in range(n):
        table = (
            difference
            + SD.seeds * draws.standard_normal((5, 1))
            + SD.items * draws.standard_normal((1, 60))
            + SD.residual * draws.standard_normal((5, 60))
        )
        p = crossed_mean(table).p
        hits += p is not None and p < 0.05
    expected = crossed_power(difference, SD, 5, 60)
    assert hits / n == pytest.approx(expected, abs=3.5 * (expected * (1 - expected) / n) ** 0.5)


def test_seeds_are_the_fewest_that_suffice() -> None:
    needed = seeds_needed(0.05, SD, 800, 0.8)
    assert needed is not None
    assert crossed_power(0.05, SD, needed, 800) >= 0.8 > crossed_power(0.05, SD, needed - 1, 800)
    assert seeds_needed(0.001, SD, 800, most=50) is None
    assert seeds_needed(0.05, SD, 20) is None, "no number of seeds makes up for too few items"


def test_the_detectable_difference_has_the_power() -> None:
    smallest = detectable_over_seeds(SD, 5, 800)
    assert crossed_power(smallest, SD, 5, 800) == pytest.approx(0.8, abs=1e-6)
    assert detectable_over_seeds(SD, 10, 800) < smallest < detectable_over_seeds(SD, 5, 200)


def test_without_spread_everything_is_found() -> None:
    assert crossed_power(0.01, CrossedVariance(0.0, 0.0, 0.0), 2, 2) == 1.0
    assert detectable_over_seeds(CrossedVariance(0.0, 0.0, 0.0), 2, 2) == 0.0
    with pytest.raises(DataError, match="two seeds"):
        crossed_power(0.01, SD, 1, 800)


def test_the_command_reads_the_runs_variances(
    evaluated: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_json(tmp_path / "seeds.json", evaluated["metrics/seeds.json"])
    assert main(["power", "accuracy", "0.05", "--seeds", str(tmp_path / "seeds.json")]) == 0
    printed = capsys.readouterr().out
    entry = evaluated["metrics/seeds.json"]["students"]["small"]["contrasts"]["control_repaired"]["accuracy"]
    assert f"between seeds {entry['sd']['seeds']:.4g}" in printed
    report = power_report(evaluated["metrics/seeds.json"], "small", "control_repaired", "accuracy", 0.05)
    assert render(report) in printed
    assert report.seeds[800] == seeds_needed(0.05, report.sd, 800)


def test_what_there_is_is_named(evaluated: dict[str, Any]) -> None:
    seeds = evaluated["metrics/seeds.json"]
    for arguments, text in (
        (("large", "control_repaired", "accuracy"), "It has: small, base"),
        (("small", "repaired_control", "accuracy"), "control_repaired"),
        (("small", "control_repaired", "speed"), "drift_rate"),
        (("small", "control_repaired", "D1-D4"), "no variance components"),
    ):
        with pytest.raises(DataError, match=text):
            power_report(seeds, *arguments, 0.05)
