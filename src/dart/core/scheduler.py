"""Several stages at once: a list schedule over DVC's graph, with a device of its own for each GPU stage.

A stage starts as soon as what it needs is done and a worker is free; of several that could start, the one with the
longest path to the end goes first (Graham's list scheduling). Machine layout only: no result depends on the order.
"""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import wait
from typing import NamedTuple, Protocol

from dart.core.dvc_graph import PlannedStage
from dart.core.dvc_worker import RAN, UNCHANGED

INTERRUPT_GRACE_S = 30.0  # a stage may be writing a checkpoint
DEVICES_VARIABLE = "CUDA_VISIBLE_DEVICES"
LAUNCHER_VARIABLE = "DART_LAUNCHER"


class Process(Protocol):
    """What the scheduler needs of `multiprocessing.Process`: the leader of a process group."""

    @property
    def pid(self) -> int | None: ...

    @property
    def sentinel(self) -> int: ...

    @property
    def exitcode(self) -> int | None: ...

    def join(self, timeout: float | None = None) -> None: ...


class Result(NamedTuple):
    """How one stage ended."""

    address: str
    state: str  # "done", "unchanged", "failed" or "interrupted"
    seconds: float
    exit_code: int | None


class Running(NamedTuple):
    """A stage that runs."""

    process: Process
    stage: PlannedStage
    devices: tuple[str, ...]
    start: float  # time.monotonic()


class Event(NamedTuple):
    """A stage ended: `number` of `total`, and the seconds that the others will take (None: no estimate)."""

    result: Result
    number: int
    total: int
    eta_s: float | None


Start = Callable[[PlannedStage, Mapping[str, str]], Process]  # (stage, variables to add to its environment)


def visible_devices(environment: Mapping[str, str] = os.environ) -> list[str]:
    """GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; empty on a machine without any."""
    if DEVICES_VARIABLE in environment:
        return [name for name in environment[DEVICES_VARIABLE].split(",") if name.strip() not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    listing = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False).stdout
    return [str(index) for index, _ in enumerate(line for line in listing.splitlines() if line.startswith("GPU "))]


class Scheduler:
    """Runs stages, at most `jobs` at once.

    A stage with `gpus: N` gets N devices, round robin, and waits until they are free; any other stage gets none. With
    a launcher (it spans the devices itself) a GPU stage gets all of them. Where there are no devices, or no stage
    declares any, the environment stays as it is: on a login node the launcher (`srun`) finds the devices.

    Args:
        stages: in serial order; an upstream stage that is not among them is done.
        jobs: number of stages at once, >= 1.
        start: starts a stage.
        report: is called after each stage.
        tick: is called about once a second with the running stages.
        seconds: duration of each stage in an earlier run, as far as known.
        keep_going: after a failure, run what does not need the failed stage.
    """

    def __init__(
        self, stages: Sequence[PlannedStage], jobs: int, start: Start, *, report: Callable[[Event], None],
        tick: Callable[[Sequence[Running], float | None], None] = lambda running, eta: None,
        seconds: Mapping[str, float] | None = None, devices: Sequence[str] = (), has_launcher: bool = False,
        keep_going: bool = False,
    ) -> None:  # fmt: skip
        self.waiting = {stage.address: stage for stage in stages}
        self.total = len(stages)
        self.jobs = jobs
        self.start = start
        self.report = report
        self.tick = tick
        self.devices = deque(devices if any(stage.gpus for stage in stages) else ())
        self.n_devices = len(self.devices)
        self.has_launcher = has_launcher
        self.keep_going = keep_going
        self.running: dict[int, Running] = {}
        self.results: list[Result] = []
        self.estimates = estimate_seconds(stages, seconds or {})
        self.to_end = _path_to_end(stages, self.estimates)

    def run(self) -> list[Result]:
        """Run everything; returns the results in the order in which the stages ended.

        After a failure nothing new starts and what runs may finish; on Ctrl-C what runs is interrupted, then killed.

        Raises:
            KeyboardInterrupt: after the running stages have stopped.
        """
        try:
            while True:
                self._start_ready()
                if not self.running:
                    return self.results
                wait(list(self.running), timeout=1.0)
                for sentinel in [key for key, running in self.running.items() if running.process.exitcode is not None]:
                    self._finish(sentinel)
                self.tick(list(self.running.values()), self.eta_s())
        except BaseException:
            self._interrupt()
            raise

    @property
    def failed(self) -> bool:
        return any(result.state == "failed" for result in self.results)

    def eta_s(self) -> float | None:
        """Seconds until the end: the longest remaining path, or all remaining work over the workers."""
        if not self.estimates:
            return None
        now = time.monotonic()
        work = sum(self.estimates[address] for address in self.waiting)
        paths = []
        for run in self.running.values():
            estimate = self.estimates[run.stage.address]
            left = max(0.0, estimate - (now - run.start))
            work += left
            paths.append(left + self.to_end[run.stage.address] - estimate)
        return max([work / self.jobs, *paths])

    def _start_ready(self) -> None:
        if self.failed and not self.keep_going:
            self.waiting.clear()
        open_stages = self.waiting.keys() | {run.stage.address for run in self.running.values()}
        ready = [stage for stage in self.waiting.values() if stage.upstream.isdisjoint(open_stages)]
        for stage in sorted(ready, key=lambda stage: -self.to_end[stage.address]):
            if len(self.running) >= self.jobs:
                return
            n_devices = self.n_devices if stage.gpus and self.has_launcher else min(stage.gpus, self.n_devices)
            if n_devices > len(self.devices):
                continue
            devices = tuple(self.devices.popleft() for _ in range(n_devices))
            added = {DEVICES_VARIABLE: ",".join(devices)} if self.n_devices else {}
            del self.waiting[stage.address]
            process = self.start(stage, added)
            self.running[process.sentinel] = Running(process, stage, devices, time.monotonic())

    def _finish(self, sentinel: int) -> None:
        process, stage, devices, start = self.running.pop(sentinel)
        self.devices.extend(devices)
        state = {RAN: "done", UNCHANGED: "unchanged"}.get(process.exitcode if process.exitcode is not None else -1)
        result = Result(stage.address, state or "failed", time.monotonic() - start, process.exitcode)
        self.results.append(result)
        if state is None:
            self._drop_downstream(stage.address)
        self.report(Event(result, len(self.results), self.total, self.eta_s()))

    def _drop_downstream(self, address: str) -> None:
        blocked = {address}
        for stage in list(self.waiting.values()):  # serial order: upstream stages come first
            if not stage.upstream.isdisjoint(blocked):
                blocked.add(stage.address)
                del self.waiting[stage.address]

    def _interrupt(self) -> None:
        """Stop what runs: SIGINT first, because a stage then removes its temporary files; SIGKILL after a while."""
        deadline = time.monotonic() + INTERRUPT_GRACE_S
        try:
            for run in self.running.values():
                _signal_group(run.process, signal.SIGINT)
            for run in self.running.values():
                run.process.join(max(0.0, deadline - time.monotonic()))
        finally:  # a second Ctrl-C arrives here at once
            for run in self.running.values():
                _signal_group(run.process, signal.SIGKILL)
                run.process.join(5.0)
                seconds = time.monotonic() - run.start
                self.results.append(Result(run.stage.address, "interrupted", seconds, run.process.exitcode))


def _signal_group(process: Process, number: int) -> None:
    if process.pid is None:
        return
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        if process.exitcode is None:  # too early: it does not lead its group yet
            os.kill(process.pid, number)


def estimate_seconds(stages: Sequence[PlannedStage], seconds: Mapping[str, float]) -> dict[str, float]:
    """Seconds of each stage: its own time in an earlier run, else the median of its kind, else of all.

    Empty if no stage has ever been timed.
    """
    kinds: dict[str, list[float]] = {}
    for address, duration in seconds.items():
        kinds.setdefault(address.partition("@")[0], []).append(duration)
    if not kinds:
        return {}
    overall = statistics.median(seconds.values())
    medians = {kind: statistics.median(durations) for kind, durations in kinds.items()}
    return {
        stage.address: seconds.get(stage.address, medians.get(stage.address.partition("@")[0], overall))
        for stage in stages
    }


def _path_to_end(stages: Sequence[PlannedStage], estimates: Mapping[str, float]) -> dict[str, float]:
    """Seconds from the start of each stage to the end of the longest path through it; stages count 1 without times."""
    downstream: dict[str, float] = {}
    path: dict[str, float] = {}
    for stage in reversed(stages):
        path[stage.address] = estimates.get(stage.address, 1.0) + downstream.get(stage.address, 0.0)
        for address in stage.upstream:
            downstream[address] = max(downstream.get(address, 0.0), path[stage.address])
    return path
