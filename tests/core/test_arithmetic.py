"""What small models compute on this machine is what was committed: trainings, answers and scores, byte for byte."""

from __future__ import annotations

import json

import pytest

from dart.core import arithmetic
from tests.support.fingerprints import COMMITTED, fingerprints

pytestmark = pytest.mark.training


def test_this_machine_computes_the_committed_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(arithmetic.REQUEST, "1")
    reason = arithmetic.missing_instructions()
    if reason is not None:
        pytest.skip(f"bytes are equal on x86-64 with AVX2 only, and {reason}: results here differ from the committed")
    assert dict(fingerprints()) == json.loads(COMMITTED.read_text(encoding="utf-8")), (
        "This machine computes other bytes than those committed. After a wanted change of the arithmetic or of what is "
        f"trained: python -m tests.support.fingerprints {COMMITTED}"
    )
