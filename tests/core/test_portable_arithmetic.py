"""Portable arithmetic, in a process of its own: its variables are read once, when numpy and torch are imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dart.core.arithmetic import REQUEST

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.training


@pytest.mark.parametrize("module", ["test_portable", "test_arithmetic"])
def test_in_a_process_that_requests_it(module: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-m", "", f"tests/core/{module}.py"],
        cwd=ROOT,
        env={**os.environ, REQUEST: "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-4000:]
    assert " skipped" in result.stdout or "[100%]" in result.stdout
