"""Training says how far it is in a few lines, whether it takes a second or a week."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from dart.core.step_log import PAUSE_S, StepLog

LOG = logging.getLogger("test_step_log")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(StepLog, "_next_s", float("-inf"))
    caplog.set_level(logging.INFO)


def _train(steps: int, step_s: float, start: float = 0.0) -> float:
    now = start
    lines = StepLog(LOG, steps, lambda: now)
    for step in range(1, steps + 1):
        now += step_s
        lines.report(step, 1 / step)
    return now


@pytest.mark.parametrize("step_s", [0.001, 1.0, 3600.0])
def test_a_long_training_has_at_most_twelve_lines(step_s: float, caplog: pytest.LogCaptureFixture) -> None:
    _train(10_000, step_s)
    messages = [record.getMessage() for record in caplog.records]
    assert 2 <= len(messages) <= 12
    assert messages[0] == "step 1 of 10000: loss 1.0000"
    assert messages[-1] == "step 10000 of 10000: loss 0.0001"


def test_short_trainings_in_a_row_say_little_more_than_their_end(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    for _ in range(5):
        now = _train(300, PAUSE_S / 300, now)  # half a minute each
    assert len(caplog.records) <= 12
    assert sum("step 300 of 300" in record.getMessage() for record in caplog.records) == 5


def test_importing_a_student_warns_of_no_kernel_that_nothing_uses() -> None:
    """bitsandbytes warns on CPUs with AVX512-BF16; its other warnings are still heard."""
    code = (
        "import logging, dart.student.train\n"
        "log = logging.getLogger('bitsandbytes.backends.cpu.ops')\n"
        "log.warning('Failed to load CPU gemm_4bit_forward from kernels-community: %s', 'no module')\n"
        "log.warning('something else')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "gemm_4bit_forward" not in done.stderr
    assert "something else" in done.stderr
