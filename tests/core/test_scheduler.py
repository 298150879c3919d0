"""The list schedule itself, with processes that only pretend: order, devices, failures, estimates."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import pytest

from dart.core.dvc_graph import Plan, PlannedStage
from dart.core.scheduler import Event, Result, Scheduler, estimate_seconds, visible_devices


class FakeProcess:
    """A process that ended when it started, with a sentinel that `wait` accepts (the read end of a closed pipe)."""

    pid = None

    def __init__(self, exitcode: int) -> None:
        self.sentinel, write_end = os.pipe()
        os.close(write_end)
        self.exitcode = exitcode

    def join(self, timeout: float | None = None) -> None:
        pass


def stage(address: str, *upstream: str, gpus: int = 0, changed: bool = True) -> PlannedStage:
    return PlannedStage(address, frozenset(upstream), gpus, changed)


class Recorder:
    """Starts fake processes and remembers which, when and on which devices."""

    def __init__(self, exit_codes: Mapping[str, int] | None = None) -> None:
        self.exit_codes = exit_codes or {}
        self.started: list[str] = []
        self.devices: dict[str, str | None] = {}
        self.events: list[Event] = []

    def start(self, stage: PlannedStage, variables: Mapping[str, str]) -> FakeProcess:
        self.started.append(stage.address)
        self.devices[stage.address] = variables.get("CUDA_VISIBLE_DEVICES")
        return FakeProcess(self.exit_codes.get(stage.address, 0))

    def run(self, stages: Sequence[PlannedStage], jobs: int = 1, **options: object) -> list[Result]:
        return Scheduler(stages, jobs, self.start, report=self.events.append, **options).run()  # type: ignore[arg-type]


DIAMOND = [stage("suite"), stage("left", "suite"), stage("right", "suite"), stage("end", "left", "right")]


def test_a_stage_starts_after_what_it_needs() -> None:
    recorder = Recorder()
    results = recorder.run(DIAMOND, jobs=3)
    assert recorder.started[0] == "suite"
    assert recorder.started[-1] == "end"
    assert [result.state for result in results] == ["done"] * 4
    assert [(event.number, event.total) for event in recorder.events] == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_an_upstream_stage_that_is_not_planned_is_done() -> None:
    recorder = Recorder()
    recorder.run([stage("end", "left")])
    assert recorder.started == ["end"]


def test_the_longest_path_goes_first() -> None:
    recorder = Recorder()
    stages = [stage("quick"), stage("long"), stage("after_long", "long")]
    recorder.run(stages)
    assert recorder.started == ["long", "quick", "after_long"]
    recorder = Recorder()
    recorder.run(stages, seconds={"quick": 100.0, "long": 1.0, "after_long": 1.0})
    assert recorder.started[0] == "quick"


def test_no_more_stages_at_once_than_devices() -> None:
    recorder = Recorder()
    scheduler = Scheduler([stage(f"train@{k}", gpus=1) for k in range(5)], 4, recorder.start,
                          report=recorder.events.append, devices=["0", "1"])  # fmt: skip
    scheduler._start_ready()
    assert sorted(run.devices for run in scheduler.running.values()) == [("0",), ("1",)]
    scheduler.run()
    assert [recorder.devices[f"train@{k}"] for k in range(5)] == ["0", "1", "0", "1", "0"]


def test_a_stage_may_ask_for_several_devices_but_gets_no_more_than_there_are() -> None:
    recorder = Recorder()
    recorder.run([stage("two", gpus=2), stage("many", gpus=8), stage("none")], devices=["a", "b", "c"])
    assert {name: (value or "").count(",") for name, value in recorder.devices.items()} == {
        "two": 1, "many": 2, "none": 0,
    }  # fmt: skip
    assert recorder.devices["none"] == ""


@pytest.mark.parametrize(("gpus", "devices"), [(0, ["0", "1"]), (1, [])])
def test_without_devices_or_gpu_stages_the_environment_stays_as_it_is(gpus: int, devices: list[str]) -> None:
    recorder = Recorder()
    recorder.run([stage("train", gpus=gpus)], devices=devices)
    assert recorder.devices["train"] is None


def test_a_launcher_gets_all_devices() -> None:
    recorder = Recorder()
    recorder.run([stage("train", gpus=1), stage("audit")], devices=["0", "1"], has_launcher=True)
    assert recorder.devices == {"train": "0,1", "audit": ""}


def test_a_failure_stops_everything_that_has_not_started() -> None:
    recorder = Recorder({"left": 1})
    results = recorder.run([*DIAMOND, stage("other", "right")])
    assert recorder.started == ["suite", "left"] or recorder.started == ["suite", "right", "left"]
    assert results[-1].state == "failed"
    assert "end" not in recorder.started


def test_keep_going_leaves_out_only_what_is_downstream() -> None:
    recorder = Recorder({"left": 255})
    recorder.run([*DIAMOND, stage("last", "end"), stage("other", "right")], keep_going=True)
    assert set(recorder.started) == {"suite", "left", "right", "other"}


def test_an_unchanged_stage_is_told_from_one_that_ran() -> None:
    results = Recorder({"left": 3}).run(DIAMOND)
    assert {result.address: result.state for result in results}["left"] == "unchanged"


def test_estimates_come_from_the_stage_then_its_kind_then_all() -> None:
    stages = [stage("train@a"), stage("train@b"), stage("audit")]
    assert estimate_seconds(stages, {}) == {}
    assert estimate_seconds(stages, {"train@a": 10.0, "train@c": 30.0}) == {
        "train@a": 10.0, "train@b": 20.0, "audit": 20.0,
    }  # fmt: skip


def test_the_remaining_time_is_the_work_over_the_workers_or_the_longest_path() -> None:
    seconds = {"suite": 10.0, "left": 20.0, "right": 20.0, "end": 10.0}
    recorder = Recorder()
    recorder.run(DIAMOND, jobs=2, seconds=seconds)
    assert recorder.events[0].eta_s == pytest.approx(25.0)  # (20 + 20 + 10) / 2, nothing has started
    assert recorder.events[-1].eta_s == 0.0
    assert all(event.eta_s is None for event in _events(DIAMOND))


def _events(stages: Sequence[PlannedStage]) -> list[Event]:
    recorder = Recorder()
    recorder.run(stages)
    return recorder.events


def test_changed_stages_and_all_downstream_of_them_are_run() -> None:
    plan = Plan((stage("a", changed=False), stage("b", "a"), stage("c", "b", changed=False), stage("d", changed=False)))
    assert [entry.address for entry in plan.to_run()] == ["b", "c"]


def test_visible_devices_are_those_of_the_environment() -> None:
    assert visible_devices({"CUDA_VISIBLE_DEVICES": "3,1"}) == ["3", "1"]
    assert visible_devices({"CUDA_VISIBLE_DEVICES": ""}) == visible_devices({"CUDA_VISIBLE_DEVICES": "-1"}) == []
