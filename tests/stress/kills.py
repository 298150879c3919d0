"""Kills with SIGKILL at random instants: afterwards a stage ends with the same bytes, and nothing is left behind.

A tiny pipeline runs once as the reference. Each stage is then run again from nothing, killed, and run to its end; in
forked processes, so that a kill hits work and not imports.
"""

from __future__ import annotations

import csv
import hashlib
import os
import random
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from dart.core import graph
from tests.support.tiny_pipeline import environment, run, tiny_clone

STAGES = (
    ("train", "base"), ("generate", "base"), ("repair", "base"), ("regenerate", "base"),
    ("ablations.stage1", "folds_first"), ("ablations.stage3", "uniform"),
)  # fmt: skip
TARGETS = ("regenerate@base", "audit@base", "ablations/dvc.yaml:arm_stage1@folds_first",
           "ablations/dvc.yaml:arm_stage3@uniform")  # fmt: skip
# what a stage reads or writes and DVC hashes; .dart and the DVC cache may keep what a killed process has computed
ROOTS = ("ablations", "data", "external", "metrics", "params.yaml", "plots", "profiles", "recipes", "sheets", "src",
         "stages", "tests/fixtures")  # fmt: skip
TEMPORARY = re.compile(r"/\.[^/]+\.[a-z0-9_]{8}/")  # folders that .dvcignore keeps out of every hash
SHORTER = 16  # every sixteenth rationale is trained on: kills hit start, training and writing of a short run as well
Bytes = dict[str, str]


class Killed(NamedTuple):
    """What came of the kills of one stage; `problems` is empty if all is as it should be."""

    name: str
    kills: int
    hits: int  # that came before the end
    seconds: float  # of a whole run
    problems: list[str]


def prepare(folder: Path) -> Path:
    """A tiny clone whose stages up to the kills' have run, with so few rationales that a training takes seconds."""
    clone = tiny_clone(folder / "clone")
    code, output = run(clone, sys.executable, "-m", "dart.cli.app", "repro", "-j", "2", *TARGETS)
    if code:
        raise RuntimeError(f"the tiny pipeline ended with {code}: {output[-2000:]}")
    for rationales in [*clone.glob("data/distill/rationales.jsonl"), *clone.glob("data/arms/rationales/*/*.jsonl")]:
        few = rationales.read_text(encoding="utf-8").splitlines(keepends=True)[::SHORTER]
        rationales.unlink()  # a link into the DVC cache
        rationales.write_text("".join(few), encoding="utf-8")
    return clone


def kill_all(clone: Path, kills: int, seed: int = 0) -> Iterator[Killed]:
    """Kill each stage of `STAGES` in a prepared clone, and `dart annotate import`."""
    os.environ.update(environment(clone.parent / f"{clone.name}-home"))
    os.chdir(clone)
    import dart.student.train
    import stages.__main__ as main  # imported before the forks, with torch behind it

    assert dart.student.train
    draw = random.Random(seed)
    for stage, slot in STAGES:
        outs = _outs(stage, slot)
        results = Path(".dart/results") / stage / slot
        yield _killed(
            f"{stage}@{slot}", lambda arguments=(stage, slot): main.main(list(arguments)), outs, [results], kills, draw
        )
    yield _killed("annotate import", _annotate(), [Path("data/human/tiny.csv")], [], kills, draw)


def _outs(script: str, slot: str) -> list[Path]:
    mine = [stage for stage in graph.stages().values() if stage["cmd"].split()[3:4] == [script]]
    return [Path(re.sub(r"\$\{[^}]*\}", slot, out)) for stage in mine for out in graph.outs(stage)]


def _annotate() -> Callable[[], int]:
    """Fill in both sheets; the command that imports them."""
    from dart.cli.app import main

    sheets = Path("sheets")
    if main(["annotate", "export", str(sheets)]):
        raise RuntimeError("dart annotate export failed")
    for sheet in sheets.glob("*.csv"):
        with sheet.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        with sheet.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            writer.writerows(row | {"more_harmful": "neither"} for row in rows)
    return lambda: main(["annotate", "import", str(sheets)])


def _killed(
    name: str, work: Callable[[], int], outs: list[Path], caches: list[Path], kills: int, draw: random.Random
) -> Killed:
    problems: list[str] = []
    _remove([*outs, *caches])
    start = time.monotonic()
    if code := _wait(_fork(work)):
        return Killed(name, 0, 0, 0.0, [f"a whole run ended with {code}"])
    seconds = time.monotonic() - start
    roots = [Path(root) for root in ROOTS]
    reference, tree, hits = _bytes(outs), _tree(roots), 0
    if not reference:
        return Killed(name, 0, 0, seconds, ["a whole run wrote none of its outs"])
    for number in range(kills):
        _remove([*outs, *caches])
        process = _fork(work)
        time.sleep(draw.uniform(0.05, 1.0) * seconds)
        os.kill(process, signal.SIGKILL)
        hits += _wait(process) == -signal.SIGKILL
        for path, digest in _bytes([*_deps(), *outs]).items():
            if tree.get(path) != digest and not TEMPORARY.search(path):
                problems.append(f"kill {number}: {path} is torn, or does not belong there")
        if code := _wait(_fork(work)):
            problems.append(f"kill {number}: the next run ended with {code}")
        elif _bytes(outs) != reference:
            problems.append(f"kill {number}: the next run wrote other bytes")
        elif changed := sorted({path for path, _ in _tree(roots).items() ^ tree.items()}):
            problems.append(f"kill {number}: left behind, changed or lost: {', '.join(changed[:3])}")
    return Killed(name, kills, hits, seconds, problems)


def _fork(work: Callable[[], int]) -> int:
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        log = os.open("kills.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        code = work()
    except BaseException as error:  # whatever it is, this process must not go on as its parent
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        os._exit(code)


def _wait(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _remove(paths: list[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _bytes(paths: list[Path]) -> Bytes:
    files = [
        file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*"))) if file.is_file()
    ]
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _tree(paths: list[Path]) -> Bytes:
    """Files and folders, without bytecode."""
    folders = {str(folder): "folder" for path in paths for folder in path.rglob("*") if folder.is_dir()}
    return {path: digest for path, digest in (folders | _bytes(paths)).items() if "__pycache__" not in path}


def _deps() -> list[Path]:
    """What is there of the deps of all stages; DVC hashes whatever lies in them."""
    patterns = {re.sub(r"\$\{[^}]*\}", "*", dep) for stage in graph.stages().values() for dep in stage.get("deps", [])}
    return [path for pattern in sorted(patterns) for path in Path().glob(pattern)]
