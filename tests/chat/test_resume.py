"""kill -9, Ctrl-C and two processes at once: at most the requests in flight are lost, and nothing differs."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dart.chat.cache import ResponseCache
from tests.support.fake_endpoint import CONCURRENCY

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
TASKS = 60


def start(folder: Path, out: str, log: str = "log", latency_s: float = 0.02) -> subprocess.Popen[bytes]:
    arguments = (folder / "answers.sqlite", folder / log, folder / out, TASKS, latency_s)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.fake_endpoint", *map(str, arguments)],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": "", "DART_CACHE_DIR": str(folder)},
        stderr=subprocess.PIPE,
        # a test run in the background of a shell hands down an ignored Ctrl-C; a stage at a terminal has it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def read_log(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def wait_for(log: Path, lines: int) -> None:
    until = time.monotonic() + 30
    while len(read_log(log)) < lines:
        assert time.monotonic() < until, "the stage does not get on"
        time.sleep(0.002)


@pytest.mark.parametrize(("how", "after"), [(signal.SIGKILL, 11), (signal.SIGKILL, 37), (signal.SIGINT, 20)])
def test_a_stage_that_was_stopped_goes_on_where_it_was(tmp_path: Path, how: signal.Signals, after: int) -> None:
    log = tmp_path / "log"
    stopped = start(tmp_path, "out", latency_s=0.2)  # long enough that a busy machine stops it in time
    wait_for(log, after)
    stopped.send_signal(how)
    assert stopped.wait(timeout=30) != 0
    before = read_log(log)
    assert not (tmp_path / "out").exists()
    assert after <= len(before) < TASKS
    stored = len(ResponseCache(tmp_path / "answers.sqlite"))
    assert stored >= len(before) - CONCURRENCY, "an answer is written before its call counts as done"

    resumed = start(tmp_path, "out")
    assert resumed.wait(timeout=30) == 0
    after_resume = read_log(log)[len(before) :]
    assert len(after_resume) == TASKS - stored, "only what is missing is asked"
    lines = (tmp_path / "out").read_text(encoding="utf-8").splitlines()
    assert [line.split(" BY ")[0] for line in lines] == [f"t{i} QUESTION {i}" for i in range(TASKS)]
    assert sum(line.endswith(f" BY {stopped.pid}") for line in lines) == stored


def test_two_processes_on_one_cache_agree(tmp_path: Path) -> None:
    first, second = start(tmp_path, "out1", "log1", 0.005), start(tmp_path, "out2", "log2", 0.005)
    assert (first.wait(timeout=60), second.wait(timeout=60)) == (0, 0)
    assert (tmp_path / "out1").read_bytes() == (tmp_path / "out2").read_bytes()
    assert len(ResponseCache(tmp_path / "answers.sqlite")) == TASKS
