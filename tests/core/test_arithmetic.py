"""What small models compute on this machine is what was committed: trainings, answers and scores, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from dart.core import arithmetic
from tests.support.fingerprints import COMMITTED, fingerprints

pytestmark = pytest.mark.training


def test_this_machine_computes_the_committed_bytes() -> None:
    reason = arithmetic.missing_instructions()
    if reason is not None:
        pytest.skip(f"bytes are equal on x86-64 with AVX2 only, and {reason}: results here differ from the committed")
    assert dict(fingerprints()) == json.loads(COMMITTED.read_text(encoding="utf-8")), (
        "This machine computes other bytes than those committed. After a wanted change of the arithmetic or of what is "
        f"trained: python -m tests.support.fingerprints {COMMITTED}"
    )


@pytest.mark.parametrize(
    ("name", "precision", "obstacle"),
    [
        ("own", "fp32", None),
        ("own", "bf16", "own.yaml has students in half precision"),
        ("'own'", "bf16", "own.yaml has students in half precision"),
        ("my-own.2", "bf16", "my-own.2.yaml has students in half precision"),
    ],
)
def test_students_in_half_precision_keep_the_arithmetic_of_the_libraries(
    name: str, precision: str, obstacle: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "params.yaml").write_text(f"profile: {name}\n", encoding="utf-8")
    students = {"small": {"precision": "fp32"}, "base": {"precision": precision}}
    file = tmp_path / "profiles" / f"{name.strip(chr(39))}.yaml"
    file.write_text(yaml.safe_dump({"students": students}), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(arithmetic.SWITCH, raising=False)
    monkeypatch.setattr(arithmetic, "missing_instructions", lambda: None)
    assert arithmetic.obstacle() == obstacle


@pytest.mark.parametrize("content", ["", "profile: [", "profile: absent", "- 1", "profile: {}"])
def test_damaged_parameters_are_left_to_the_validation(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "params.yaml").write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(arithmetic.SWITCH, raising=False)
    assert arithmetic.obstacle() == arithmetic.missing_instructions()


def test_the_switch_turns_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(arithmetic.SWITCH, "0")
    assert arithmetic.obstacle() == "DART_PORTABLE_ARITHMETIC is 0"
