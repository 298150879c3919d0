"""Bad input at the door of a stage: one message with the way out, exit code 1, no traceback, nothing half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.tiny_pipeline import environment, tiny_clone


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clone(tmp_path_factory.mktemp("bad") / "dart")


def _choose(clone: Path, profile: str, **changes: Any) -> None:
    """Switch the clone to `profile`, with `changes` written into a copy of it."""
    content = yaml.safe_load((clone / f"profiles/{profile}.yaml").read_text(encoding="utf-8"))
    content.update(changes)
    (clone / "profiles/bad.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    given = yaml.safe_load((clone / "params.yaml").read_text(encoding="utf-8"))
    (clone / "params.yaml").write_text(yaml.safe_dump({**given, "profile": "bad"}), encoding="utf-8")


def _fails(clone: Path, stage: str, **variables: str) -> str:
    """Run `stage`; it must fail cleanly. Returns what it says."""
    told = environment(clone.parent / f"{clone.name}-home")
    told = {name: value for name, value in told.items() if not name.endswith("_API_KEY")} | variables
    done = subprocess.run(
        [sys.executable, "-m", "stages", stage], cwd=clone, env=told, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert not (clone / "data/suite").exists()
    assert not (clone / "data/distill").exists()
    return done.stderr


def test_a_missing_key_names_its_variable(clone: Path) -> None:
    _choose(clone, "paper")
    assert "DEEPSEEK_API_KEY" in _fails(clone, "distill")


def test_wrong_bytes_name_file_expected_and_found(clone: Path, tmp_path: Path) -> None:
    for name in ("D1", "D2", "D3", "D4", "N1", "N2", "N3", "N4"):
        (tmp_path / f"{name}_1k.pkl").write_bytes(b"not the benchmark")
    _choose(clone, "realsuite")
    said = _fails(clone, "suite", DART_DATA_DIR=str(tmp_path))
    assert "D1_1k.pkl" in said
    assert "d16720a40b67b74d06d52fe05b084179eafd93c1" in said  # expected
    found = subprocess.run(
        ["git", "hash-object", "--stdin"], input=b"not the benchmark", capture_output=True, check=True
    ).stdout.decode()
    assert found.strip() in said


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([{"prompt": "a?", "label": "YES"}], "label NO"),
        ([{"prompt": "a?", "label": "MAYBE"}, {"prompt": "b?", "label": "NO"}], "MAYBE"),
        ([], "the file is empty"),
    ],
)
def test_a_benchmark_of_ones_own_that_cannot_work_says_why(
    clone: Path, tmp_path: Path, lines: list[dict[str, str]], said: str
) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    _choose(
        clone, "realsuite", suite={"source": str(file), "sizes": {"default": {"train": 2, "validation": 2, "test": 2}}}
    )
    message = _fails(clone, "suite", DART_DATA_DIR=os.devnull)
    assert said in message
    assert "mine.jsonl" in message


def test_a_missing_data_file_says_how_to_make_it(clone: Path) -> None:
    _choose(clone, "tiny")
    assert "train.jsonl is missing. Run `dvc repro`" in _fails(clone, "distill")


def test_no_outside_items_for_the_embedded_base(clone: Path) -> None:
    """A benchmark that is asked for more items than it has is refused by name."""
    sizes = {"default": {"train": 2000, "validation": 100, "test": 100}}
    _choose(clone, "embedded", suite={"source": "embedded", "sizes": sizes})
    assert "D1" in _fails(clone, "suite")
