"""`dart repro`: what `dvc repro` does, with several stages at once, one line per stage and the details in logs."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from dart.core.dvc_graph import STATE, PlannedStage, plan, remember_lock_order, restore_lock_order
from dart.core.errors import DataError
from dart.core.scheduler import LAUNCHER_VARIABLE, Event, Process, Result, Running, Scheduler, visible_devices
from dart.core.visible_text import visible

LOGS = STATE / "logs"
TIMES = STATE / "times.json"  # {stage: seconds of its last run}
LOG_TAIL = 20  # lines of a failed stage's log that are printed
INTERRUPTED = 130  # exit code after Ctrl-C, as shells give it


def repro(
    targets: Annotated[list[str] | None, typer.Argument(help="stages or dvc.yaml files; all if none is named")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="stages at once; 0: one per core")] = 0,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", "-k", help="after a failure, go on with all stages that do not need it")
    ] = False,
    dry: Annotated[bool, typer.Option("--dry", help="print the stages that would run")] = False,
) -> None:
    """Run the stages that are not up to date, several at once. dvc.lock ends as after `dvc repro`."""
    if jobs < 0:
        raise DataError(f"--jobs must be an integer >= 1, or 0 for one per core, not {jobs}.")
    code = reproduce(Path(), targets or [], jobs or _cores(), keep_going=keep_going, dry=dry)
    if code:
        raise typer.Exit(code)


def reproduce(root: Path, targets: Sequence[str], jobs: int, *, keep_going: bool = False, dry: bool = False) -> int:
    """Run the stages of `targets` that are not up to date; returns the exit code (0, 1, or 130 after Ctrl-C).

    Raises:
        DataError: `root` is not a DVC repository, or a target does not exist.
    """
    root = root.resolve()
    start = time.monotonic()
    planned = plan(root, targets)
    stages = planned.to_run()
    if not stages:
        print(f"up to date: {len(planned.stages)} stages, nothing to run")
        return 0
    if dry:
        print("\n".join(stage.address for stage in stages))
        return 0
    print(f"{len(stages)} of {len(planned.stages)} stages to run or check, {jobs} at once, logs in {LOGS}/", flush=True)
    return _run(root, targets, stages, jobs, keep_going, start)


def _run(
    root: Path, targets: Sequence[str], stages: Sequence[PlannedStage], jobs: int, keep_going: bool, start: float
) -> int:
    from dart.core.dvc_worker import fork_server, start_stage
    from dart.core.stage_server import stage_server

    (root / LOGS).mkdir(parents=True, exist_ok=True)
    context = fork_server()
    devices, has_launcher = visible_devices(), bool(os.environ.get(LAUNCHER_VARIABLE))
    server: dict[str, str] = {}

    def start_logged(stage: PlannedStage, variables: Mapping[str, str]) -> Process:
        log = root / log_path(stage.address)
        log.write_text("", encoding="utf-8")  # of this run, even if the worker dies before it prints
        forked = server if stage.gpus else {}  # a stage without models starts as fast by itself
        return start_stage(context, stage.address, root, log, {**os.environ, **forked, **variables})

    lines = _Lines(max(len(stage.address) for stage in stages))
    scheduler = Scheduler(
        stages, jobs, start_logged, report=lines.stage, tick=lines.running, seconds=_read_times(root),
        devices=devices, has_launcher=has_launcher, keep_going=keep_going,
    )  # fmt: skip
    before = signal.signal(signal.SIGTERM, _interrupt)  # a batch system's time limit
    interrupted = False
    remember_lock_order(root)
    try:
        with stage_server(root, stages, bool(devices) or has_launcher) as server:
            scheduler.run()
    except KeyboardInterrupt:
        interrupted = True
    finally:
        signal.signal(signal.SIGTERM, before)
        lines.clear()
        _write_times(root, scheduler.results)
        complete = all(result.state in ("done", "unchanged") for result in scheduler.results)
        restore_lock_order(root, targets, complete and not interrupted)
    print("\n".join(times_table(scheduler.results, time.monotonic() - start)))
    failed = [result for result in scheduler.results if result.state == "failed"]
    for result in failed:
        print("\n".join(_failure(root, result)), file=sys.stderr)
    stopped = [result.address for result in scheduler.results if result.state == "interrupted"]
    if interrupted:
        names = f" ({', '.join(stopped)})" if stopped else ""
        print(f"interrupted{names}: `dart repro` continues from here", file=sys.stderr)
        return INTERRUPTED
    if failed:
        left = len(stages) - len(scheduler.results)
        hint = "`dart repro` continues from here"
        print(f"{len(failed)} failed, {left} not started: {hint} when it is mended", file=sys.stderr)
        return 1
    return 0


def _cores() -> int:
    """Cores that this process may use; all of the machine where the system does not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


class _Lines:
    """One line per stage that ended; on a terminal also one that is overwritten, with what runs."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.live = sys.stdout.isatty()

    def stage(self, event: Event) -> None:
        self.clear()
        result, digits = event.result, len(str(event.total))
        eta = f"  ETA {duration(event.eta_s)}" if event.eta_s and event.number < event.total else ""
        state = "" if result.state == "done" else f"  {result.state}"
        place = f"[{event.number:>{digits}}/{event.total}]"
        print(f"{place} {result.address:<{self.width}} {duration(result.seconds):>9}{state}{eta}", flush=True)

    def running(self, running: Sequence[Running], eta_s: float | None) -> None:
        if not self.live or not running:
            return
        now = time.monotonic()
        parts = ", ".join(f"{run.stage.address} {duration(now - run.start)}" for run in running)
        eta = f"; ETA {duration(eta_s)}" if eta_s else ""
        print(f"\r\x1b[K{parts}{eta}"[:200], end="", flush=True)

    def clear(self) -> None:
        if self.live:
            print("\r\x1b[K", end="", flush=True)


def log_path(address: str) -> Path:
    """.dart/logs/<stage>.log, with the folder of its dvc.yaml before it: `external.answers@bold-small.log`."""
    file, _, name = address.rpartition(":")
    folder = Path(file).parent.as_posix().replace("/", ".") if file else ""
    return LOGS / f"{folder + '.' if folder not in ('', '.') else ''}{name}.log"


def duration(seconds: float) -> str:
    """`41 s`, `3 min 20 s` or `2 h 05 min`."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"


def times_table(results: Iterable[Result], wall_s: float) -> list[str]:
    """Stages by time, longest first, and what running them side by side saved."""
    ran = sorted((result for result in results if result.state != "unchanged"), key=lambda result: -result.seconds)
    n_unchanged = sum(result.state == "unchanged" for result in results)
    width = max((len(result.address) for result in ran), default=5)
    total = sum(result.seconds for result in ran)
    lines = ["", f"{'stage':<{width}} {'time':>11}  share"] if ran else [""]
    lines += [
        f"{result.address:<{width}} {duration(result.seconds):>11}  {result.seconds / total:5.1%}"
        + ("" if result.state == "done" else f"  {result.state}")
        for result in ran
    ]
    unchanged = f", {n_unchanged} unchanged" if n_unchanged else ""
    return [*lines, f"{len(ran)} stages ran{unchanged}: {duration(wall_s)}, {duration(total)} one after the other"]


def _failure(root: Path, result: Result) -> list[str]:
    log = log_path(result.address)
    tail = (root / log).read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL:]
    head = f"stage {result.address} failed (exit code {result.exit_code}). The end of {log}:"
    return ["", head, *(visible(f"    {line}") for line in tail)]


def _read_times(root: Path) -> dict[str, float]:
    try:
        times = json.loads((root / TIMES).read_text(encoding="utf-8"))
        return {str(address): float(seconds) for address, seconds in times.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}  # only estimates hang on it


def _write_times(root: Path, results: Iterable[Result]) -> None:
    times = _read_times(root) | {
        result.address: round(result.seconds, 1) for result in results if result.state == "done"
    }
    (root / TIMES).write_text(json.dumps(times, indent=0, sort_keys=True), encoding="utf-8")
