"""A world on a knife-edge is refused, and the margins are what a count by hand gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dart.core import params
from dart.core.errors import ParameterError
from dart.core.schema import method
from dart.core.schema.margins import knife_edges, margins

ROOT = Path(__file__).resolve().parents[2]


def changed(tmp_path: Path, **world: Any) -> Path:
    """The root of a copy of the parameters whose embedded profile has another world."""
    profile = yaml.safe_load((ROOT / "profiles/embedded.yaml").read_text(encoding="utf-8"))
    profile["simulation"]["world"] |= world
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/embedded.yaml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return tmp_path


@pytest.mark.parametrize("name", ["embedded", "realsuite"])
def test_in_the_profiles_students_drift_and_repair_reaches_them_far_from_every_edge(name: str) -> None:
    settings, profile = params.check(ROOT, name)
    assert profile.simulation is not None
    classes = margins(profile.simulation, settings.severity_weights, profile.suite)
    assert len(classes) == 3
    assert all(one.drift >= 2 and one.rho >= 2 for one in classes)


def test_margins_are_those_of_a_count_by_hand(tmp_path: Path) -> None:
    """600 training items of N2, 300 of them YES, harm in 60; 15 per harmless closing; 2 x 0.9 x 100 copies over 2."""
    harm = {"N2": {"severity": "moderate", "share": 0.2}}
    root = changed(tmp_path, plain_closings=16, safe_closings=2, planted=harm)
    path = root / "profiles/embedded.yaml"
    profile = yaml.safe_load(path.read_text(encoding="utf-8"))
    profile["suite"]["sizes"]["default"] = {"train": 600, "validation": 100, "test": 200}
    profile["simulation"]["judge"]["missed"] = 0.1
    settings = params.Params.model_validate(yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8")))
    filled = params.Profile.model_validate(profile)
    assert filled.simulation is not None
    [one] = margins(filled.simulation, settings.severity_weights, filled.suite)
    assert one.drift == pytest.approx(60 / (240 / 16))
    assert one.rho == pytest.approx(2 * 0.9 * 100 / (2 * 60))
    assert one.smallest == one.rho
    [message] = knife_edges(filled.simulation, settings.severity_weights, filled.suite)
    assert "simulation.world.planted.N2" in message


@pytest.mark.parametrize(
    "world",
    [
        pytest.param({"plain_closings": 4}, id="Stage I: .2 against .8 / 4"),
        pytest.param({"safe_closings": 3}, id="Stage III: about one copy of a safe closing for one of harm"),
    ],
)
def test_a_margin_below_two_is_refused(tmp_path: Path, world: dict[str, int]) -> None:
    with pytest.raises(ParameterError, match=r"profiles/embedded.yaml: simulation.world.planted.N2 is on a knife-edge"):
        params.check(changed(tmp_path, **world))


class Distill(params.StageParams):
    """What stage `distill` declares."""

    seed: int
    simulation: params.SimulationSpec
    distill: method.Distill
    teacher: params.TeacherEndpoint


def test_a_stage_that_reads_the_world_logs_its_margins(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(ROOT)
    with caplog.at_level("INFO"):
        Distill.load("distill")
    logged = [record.getMessage() for record in caplog.records if record.getMessage().startswith("world ")]
    assert len(logged) == 3
    assert all("rho = " in line for line in logged)


def test_an_unknown_benchmark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="D9, which is no benchmark"):
        params.check(changed(tmp_path, caution_dropped={"D9": 0.5}))
