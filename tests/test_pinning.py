"""A model of the hub is compared with the last commit's pin, where this clone has it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stages.pinning import committed_pin
from tests.support.tiny_pipeline import environment

STAGE = """
stages:
  student:
    cmd: mkdir -p models/base && echo '{"model":"a/b","revision":"c0ffee"}' > models/base/pin.json
    outs: [models/base]
"""


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    folder = tmp_path / "first"
    folder.mkdir()
    (folder / "dvc.yaml").write_text(STAGE, encoding="utf-8")
    dvc = [sys.executable, "-m", "dvc"]
    for command in (["git", "init", "-q"], [*dvc, "init", "-q"], [*dvc, "repro", "-q"], ["git", "add", "-A"],
                    ["git", "commit", "-qm", "run"]):  # fmt: skip
        subprocess.run(command, cwd=folder, env=environment(tmp_path), check=True, capture_output=True)
    return folder


def test_the_committed_pin_is_read_where_the_cache_has_it(committed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(committed)
    assert committed_pin(Path("models/base")) == {"model": "a/b", "revision": "c0ffee"}
    assert committed_pin(Path("models/other")) is None


def test_a_fresh_clone_with_an_empty_cache_has_no_committed_pin(
    committed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(committed), str(clone)], check=True, env=environment(tmp_path))
    monkeypatch.chdir(clone)
    assert committed_pin(Path("models/base")) is None
