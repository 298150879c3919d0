"""A DVC repository of ten stages that each take a few milliseconds: a matrix, and a second dvc.yaml with `wdir`.

The shape is this project's: suite -> train@S -> audit@S, arms of a second dvc.yaml, and one stage that collects all.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

STAGES = 10
PARAMS = "students: [small, base]\nvariants:\n  uniform: 1\n  light: 2\n  heavy: 3\nseed: 42\n"
ROOT_STAGES = """\
stages:
  suite:
    cmd: python job.py suite data/suite
    params: [seed]
    outs: [data/suite]
  train:
    matrix:
      student: ${students}
    cmd: python job.py train@${item.student} data/adapters/${item.student} data/suite
    deps: [data/suite]
    params: [seed]
    outs:
      - data/adapters/${item.student}
    meta: {gpus: 1}
  audit:
    matrix:
      student: ${students}
    cmd: python job.py audit@${item.student} data/audit/${item.student} data/adapters/${item.student}
    deps:
      - data/adapters/${item.student}
    outs:
      - data/audit/${item.student}
  arms:
    cmd: python job.py arms data/comparison data/arms
    deps: [data/arms]
    outs: [data/comparison]
  evaluate:
    cmd: python job.py evaluate metrics data/audit/small data/audit/base data/comparison
    deps: [data/audit/small, data/audit/base, data/comparison]
    metrics:
      - metrics/headline.json: {cache: false}
"""
ARM_STAGES = """\
vars:
  - ../params.yaml
stages:
  arm:
    foreach: ${variants}
    do:
      wdir: ..
      cmd: python job.py arm@${key} data/arms/${key} data/adapters/small
      deps: [data/adapters/small]
      params:
        - variants.${key}
      outs:
        - data/arms/${key}
      meta: {gpus: 1}
"""
JOB = """\
import hashlib, json, os, pathlib, re, sys, time

name, out, *deps = sys.argv[1:]
side = pathlib.Path(".dart/ran")  # what ran, when and on which device: no out
side.mkdir(parents=True, exist_ok=True)
begin = time.time()
print("stage", name, "runs")
(side / (name + ".started")).touch()
time.sleep(float(os.environ.get("TOY_SLEEP_" + re.sub(r"\\W", "_", name), os.environ.get("TOY_SLEEP", "0"))))
meeting = os.environ.get("TOY_MEET", "").split(",")  # stages of which none ends before all have started
while name in meeting and time.time() < begin + 60 and not all((side / (n + ".started")).exists() for n in meeting):
    time.sleep(0.05)
if os.environ.get("TOY_FAIL") == name:
    sys.exit("planted failure")
files = [file for dep in deps for file in sorted(pathlib.Path(dep).rglob("*")) if file.is_file()]
digest = hashlib.md5(name.encode() + pathlib.Path("params.yaml").read_bytes())
for file in files:
    digest.update(file.as_posix().encode() + file.read_bytes())
folder = pathlib.Path(out)
folder.mkdir(parents=True, exist_ok=True)
if name == "evaluate":
    value = int(digest.hexdigest()[:4], 16) / 65536
    leaves = {"n": 800, "accuracy": round(value, 4), "drift_rate_after": round(1 - value, 4), "diff_accuracy": 0.5}
    (folder / "headline.json").write_text(json.dumps({"small": leaves, "base": leaves}, indent=2))
else:
    (folder / "out.txt").write_text("seed only" if name == "suite" else digest.hexdigest())
devices = os.environ.get("CUDA_VISIBLE_DEVICES")
(side / (name + ".json")).write_text(json.dumps({"begin": begin, "end": time.time(), "devices": devices}))
"""


def toy_repo(folder: Path) -> Path:
    """A new repository in `folder`, committed, nothing run."""
    folder.mkdir(parents=True)
    for name, text in {
        "params.yaml": PARAMS, "dvc.yaml": ROOT_STAGES, "ablations/dvc.yaml": ARM_STAGES, "job.py": JOB,
        ".gitignore": "/data/\n/.dart/\n",
    }.items():  # fmt: skip
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    call(folder, "git", "init", "--quiet", "--initial-branch", "main")
    call(folder, sys.executable, "-m", "dvc", "init", "--quiet")
    commit(folder, "start")
    return folder


def environment(**extra: str) -> dict[str, str]:
    """This process's environment with the interpreter's folder first in PATH, and an author for git."""
    author = {f"GIT_{role}_{key}": "t@example.org" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1", "GIT_CONFIG_NOSYSTEM": "1", **author, **extra}


def call(folder: Path, *command: str, **extra: str) -> str:
    """Output of a command that must succeed."""
    done = subprocess.run(command, cwd=folder, env=environment(**extra), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dvc(folder: Path, *arguments: str, **extra: str) -> str:
    return call(folder, sys.executable, "-m", "dvc", *arguments, **extra)


def commit(folder: Path, message: str) -> None:
    call(folder, "git", "add", "--all")
    call(folder, "git", "commit", "--quiet", "--message", message)


def lock_files(folder: Path) -> dict[str, bytes]:
    """Contents of all lock files by name."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.glob("**/dvc.lock"))}
