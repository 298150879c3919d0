"""A copy of this checkout that runs the whole path in about a minute: for tests of the pipeline itself.

Its world (profile `tiny`) takes the committed nano checkpoint as its base student, because a base trained at
smoke size learns nothing and so cannot drift.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import yaml

from dart.core.stage_server import running_server

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = "tests/fixtures/nano"


def environment(home: Path) -> dict[str, str]:
    """A user's environment with caches of its own, so that no run profits from another."""
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "DART_CACHE_DIR": str(home / "dart-cache"),
        "OMP_NUM_THREADS": "1",
        "DVC_NO_ANALYTICS": "1",
        "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@example.org",
        "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@example.org",
        "GIT_CONFIG_NOSYSTEM": "1",
    }


def dvc(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "dvc", *arguments]


def _tiny_profile(root: Path) -> dict[str, Any]:
    profile: dict[str, Any] = yaml.safe_load((root / "profiles/embedded.yaml").read_text(encoding="utf-8"))
    profile["suite"]["sizes"] = {"default": {"train": 80, "validation": 4, "test": 12}}
    profile["external"]["sizes"] = {"bold": 12, "holisticbias": 12, "realtoxicityprompts": 12, "hatecheck": 40}
    profile["seeds"] = [42, 3]
    epochs = {"stage1": 3, "stage3": 1}
    profile["students"] = {"base": {**profile["students"]["base"], "model": FIXTURE, "nano": None, "epochs": epochs}}
    # so few items are trained on that nearly all of a class have to end with harm for a student to take it over
    for harm in profile["simulation"]["world"]["planted"].values():
        harm["share"] = 0.95
    # a judge without errors: what is asked more often is answered alike, so that the pool of drift cases stays the same
    profile["simulation"]["judge"] = dict.fromkeys(profile["simulation"]["judge"], 0.0)
    return profile


def tiny_clone(folder: Path, **overrides: Any) -> Path:
    """Copy what git would clone (and what is not committed yet) to `folder`, switched to profile `tiny`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for produced in ("dvc.lock", "ablations/dvc.lock", "external/dvc.lock", "recipes/dvc.lock", "metrics", "plots"):
        path = folder / produced
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    (folder / "profiles/tiny.yaml").write_text(yaml.safe_dump(_tiny_profile(folder)), encoding="utf-8")
    given = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    given.update({"profile": "tiny", "students": ["base"], "recipes": {"base": ["own"]}, **overrides})
    given["arms"]["student"] = "base"
    given["variants"] = _few_arms(given["variants"])
    given["generation"]["max_new_tokens"] = 96
    given["annotation"]["pairs"] = 40
    given["openended"] = {"per_domain": 4, "max_new_tokens": 64}
    given["statistics"]["resamples"] = 200
    (folder / "params.yaml").write_text(yaml.safe_dump(given), encoding="utf-8")
    home = folder.parent / f"{folder.name}-home"
    home.mkdir(exist_ok=True)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "tiny"]):
        subprocess.run(["git", *command], cwd=folder, env=environment(home), check=True, capture_output=True)
    return folder


def copy_of(folder: Path, target: Path) -> Path:
    """The clone as it is now, with a home of its own."""
    shutil.copytree(folder, target, symlinks=True)
    _home(target).mkdir()
    return target


def served(folder: Path) -> AbstractContextManager[dict[str, str]]:
    """Variables for `run`: within, stages of the clone are forked from a process that has the libraries loaded."""
    return running_server(folder, environment(_home(folder)))


def _few_arms(variants: dict[str, Any]) -> dict[str, Any]:
    """One arm of each kind: a single change, points, folds, a student against itself."""
    half = {"inductive_first": variants["controls"]["points"]["inductive_first"]}
    again = {"base_again": variants["noise_floor"]["points"]["base_again"]}
    return {
        "uniform": variants["uniform"],
        "controls": variants["controls"] | {"points": half},
        "folds_first": variants["folds_first"] | {"folds": [0]},
        "noise_floor": variants["noise_floor"] | {"points": again},
    }


def _home(folder: Path) -> Path:
    return folder.parent / f"{folder.name}-home"


def start(folder: Path, *command: str, **variables: str) -> subprocess.Popen[str]:
    """Start `command` in the clone; its output is one text."""
    own = {**environment(_home(folder)), **variables}
    return subprocess.Popen(command, cwd=folder, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def run(folder: Path, *command: str, **variables: str) -> tuple[int, str]:
    process = start(folder, *command, **variables)
    output, _ = process.communicate()
    return process.returncode, output
