"""What a killed stage leaves beside its out must not change the hash of the folder that holds both."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.toy_repo import call, dvc, environment

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
UP_TO_DATE = "Data and pipelines are up to date."
KILLED = """
import os, signal
from pathlib import Path
from dart.core.files import replacing
with replacing(Path("data/arms/{name}")) as temporary:
    {write}
    os.kill(os.getpid(), signal.SIGKILL)
"""
STAGE = """\
stages:
  arms:
    cmd: ls data/arms/uniform
    deps: [data/arms]
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with this one's .dvcignore, whose stage read data/arms with one arm in it."""
    shutil.copyfile(ROOT / ".dvcignore", tmp_path / ".dvcignore")
    (tmp_path / "dvc.yaml").write_text(STAGE, encoding="utf-8")
    (tmp_path / "data/arms/uniform").mkdir(parents=True)
    (tmp_path / "data/arms/uniform/summary.json").write_text("{}", encoding="utf-8")
    call(tmp_path, "git", "init", "--quiet")
    call(tmp_path, sys.executable, "-m", "dvc", "init", "--quiet", "--force")
    dvc(tmp_path, "repro")
    return tmp_path


def kill_while_writing(repo: Path, name: str, write: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(name=name, write=write)], cwd=repo, check=False,
        env=environment(PYTHONPATH=str(ROOT / "src")),
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL


def test_a_killed_arm_leaves_the_hash_of_all_arms(repo: Path) -> None:
    kill_while_writing(repo, "light", "temporary.mkdir(); (temporary / 'generations.jsonl').write_text('half')")
    kill_while_writing(repo, "uniform/summary.json", "temporary.write_text('half')")
    leftovers = [path for path in (repo / "data/arms").rglob(".*") if path.is_dir()]
    assert len(leftovers) == 2
    assert dvc(repo, "status").strip() == UP_TO_DATE
    (repo / "data/arms/light").mkdir()
    (repo / "data/arms/light/summary.json").write_text("{}", encoding="utf-8")
    assert dvc(repo, "status").strip() != UP_TO_DATE, "a finished arm counts"
