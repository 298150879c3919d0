"""A `git clone` of this checkout as a stranger gets it: no data, an empty DVC cache, and the committed lock files.

Its profile `real` names real checkpoints, or models of a hub: the committed run's profile with other students and
classifiers, so that nothing in `dvc.lock` fits them.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.tiny_pipeline import ROOT, environment

SIZES = {"default": {"train": 2, "validation": 2, "test": 2}}  # of each benchmark and condition


def _copy_tracked(folder: Path) -> None:
    """What git would clone, with what is not committed yet."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def _yaml(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def fresh_clone(folder: Path, students: Mapping[str, Mapping[str, Any]], scorers: Mapping[str, Any]) -> Path:
    """Clone the checkout to `folder`/clone with profile `real`.

    Args:
        students: by slot, what differs from the slot of profiles/paper.yaml: its model, say.
        scorers: the same for the classifiers.
    """
    origin = folder / "origin"
    _copy_tracked(origin)
    profile, paper = _yaml(origin / "profiles/embedded.yaml"), _yaml(origin / "profiles/paper.yaml")
    tiny = {"precision": "fp32", "generation_batch": 8}
    profile["suite"]["sizes"] = SIZES
    profile["students"] = {slot: {**paper["students"][slot], **tiny, **students[slot]} for slot in students}
    profile["scorers"] = {kind: {**paper["scorers"][kind], **scorers[kind]} for kind in paper["scorers"]}
    if "seeds" in profile:
        profile["seeds"] = profile["seeds"][:1]
    (origin / "profiles/real.yaml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    params = _yaml(origin / "params.yaml")
    params |= {"profile": "real", "students": list(students)}
    params["arms"]["student"] = next(iter(students))
    params["training"]["epochs"] = 1
    params["generation"]["max_new_tokens"] = 10
    (origin / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "as published"], ["clone", "-q", ".", "../clone"]):
        subprocess.run(["git", *command], cwd=origin, env=environment(folder), check=True, capture_output=True)
    clone = folder / "clone"
    assert not (clone / ".dvc" / "cache").exists()
    assert "data/models/base/" in (clone / "dvc.lock").read_text(encoding="utf-8")
    return clone
