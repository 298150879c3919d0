"""The harness of `make stress` refuses to call good what it should call failed; each limit and each loss on its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dart.core.errors import DataError
from tests.stress import harness
from tests.stress.harness import Case, run_case


def _refuse(folder: Path) -> None:
    raise DataError("no")


def _raise(folder: Path) -> None:
    raise ValueError("no message for a reader")


def _allocate(folder: Path) -> None:
    assert len(b"x" * (60 << 20))


def _sleep(folder: Path) -> None:
    time.sleep(0.7)


def _compute(folder: Path) -> None:
    end = time.process_time() + 0.7
    while time.process_time() < end:
        pass


def _compute_in_a_child(folder: Path) -> None:
    code = "import time\nwhile time.process_time() < .7: pass"
    subprocess.run([sys.executable, "-S", "-c", code], check=True)


def _overwrite(folder: Path) -> None:
    (folder / "notes.md").write_text("lost", encoding="utf-8")


@pytest.mark.parametrize(
    ("run", "verdict", "detail"),
    [
        (len, "failed", "TypeError"),
        (_refuse, "refused", "no"),
        (_raise, "failed", "ValueError"),
        (_allocate, "failed", "MB"),
        (_sleep, "failed", "took "),
        (_compute, "failed", "s of CPU time"),
        (_compute_in_a_child, "failed", "s of CPU time"),
        (_overwrite, "failed", "notes.md of the reader's has been lost"),
        (Path.is_dir, "survived", ""),
    ],
)
def test_a_case_gets_its_verdict(
    run: Callable[[Path], object], verdict: str, detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness, "CPU_S", 0.5)
    monkeypatch.setattr(harness, "ELAPSED_S", 100.0 if run is not _sleep else 0.5)
    monkeypatch.setattr(harness, "MEMORY_MB", 50)
    result = run_case(Case("harness", "a case", run))
    assert (result.verdict, detail in result.detail) == (verdict, True), result
