"""`make mutants`: faults of the method, put into a copy of the tree one at a time; the tests must notice each of them.

A fault that no test notices is one that could be there now. Each mutant is a textual edit with the tests that should
fail. They run in a copy of the tracked files, so the working tree is never touched, and in a fork of a process that
has imported the libraries, so that a mutant costs its tests and no imports.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal, NamedTuple

from dart.core.arithmetic import set_environment
from tests.mutants.mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 600  # tests that do not end decide nothing: the mutant counts as not killed
LIBRARIES = (
    "pytest", "hypothesis", "pydantic", "numpy", "torch", "transformers", "peft", "accelerate", "scipy.stats", "httpx",
    "sklearn.metrics", "statsmodels.stats.api", "safetensors.torch", "yaml", "jinja2.sandbox", "typer.testing",
    "transformers.models.llama.modeling_llama", "transformers.trainer",
)  # fmt: skip
Verdict = Literal["killed", "SURVIVED", "STALE", "TIMEOUT", "BROKEN"]


class Running(NamedTuple):
    """A mutant whose tests run."""

    mutant: Mutant
    tree: Path
    log: Path
    start: float


def copy_tree(target: Path) -> Path:
    """The tracked and the new files of the working tree, without outs, in `target`."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("metrics/", "plots/")):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    return target


def mutate(mutant: Mutant, whole: Path, tree: Path) -> str | None:
    """Put the fault into a copy of the tree `whole`; what is wrong if its text is not there exactly once."""
    source = whole / mutant.file
    text = source.read_text(encoding="utf-8") if source.is_file() else ""
    if text.count(mutant.old) != 1:
        return f"{mutant.file} has the text {text.count(mutant.old)} times"
    (tree / mutant.file).write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    return None


def start(mutant: Mutant, tree: Path, log: Path) -> int:
    """Fork a process that runs the mutant's tests in `tree`; returns its id."""
    process = os.fork()
    if process:
        return process
    code = 3
    try:
        os.setsid()
        stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
        os.chdir(tree)
        paths = [str(tree / "src"), str(tree)]
        os.environ.update({
            "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1",
            "DART_CACHE_DIR": str(log.parent / f"{log.stem}-cache"),
        })  # fmt: skip
        sys.dont_write_bytecode = True
        ours = {str(ROOT / "src"), str(ROOT), ""}
        sys.path[:] = [*paths, *(entry for entry in sys.path if entry not in ours)]
        for name in [name for name in sys.modules if name.split(".")[0] in ("dart", "stages", "tests")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        import pytest

        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--no-header", *mutant.tests]))
    finally:
        sys.stdout.flush()
        os._exit(code)


def judge(running: Running, code: int) -> tuple[Verdict, str]:
    """The verdict on a mutant whose tests ended with `code`."""
    output = running.log.read_text(encoding="utf-8", errors="replace")
    if code == 1:
        failed = re.findall(r"^FAILED (\S+)|^ERROR (\S+)", output, re.MULTILINE)
        return "killed", "".join(failed[-1]) if failed else ""
    if code == 0:
        return "SURVIVED", " ".join(running.mutant.tests)
    if code == -signal.SIGKILL:
        return "TIMEOUT", f"the tests did not end in {TIMEOUT_S} s"
    return "BROKEN", " ".join(output.split())[-300:]


def run(chosen: list[Mutant], jobs: int, scratch: Path) -> dict[str, int]:
    """Run the mutants, `jobs` at a time, and print each verdict; returns how often each was given."""
    counts: dict[str, int] = {}
    waiting, active = list(chosen), dict[int, Running]()
    whole = copy_tree(scratch / "whole")  # as it is now, whatever happens to the working tree meanwhile
    trees = [Path(shutil.copytree(whole, scratch / str(job))) for job in range(jobs)]

    def report(mutant: Mutant, verdict: Verdict, detail: str, seconds: float) -> None:
        counts[verdict] = counts.get(verdict, 0) + 1
        print(f"{verdict:8} {seconds:5.1f} s  {mutant.name:45} {detail}", flush=True)

    while waiting or active:
        while waiting and trees:
            mutant, tree = waiting.pop(0), trees.pop()
            if problem := mutate(mutant, whole, tree):
                report(mutant, "STALE", problem, 0.0)
                trees.append(tree)
                continue
            log = scratch / f"{len(waiting)}.log"
            active[start(mutant, tree, log)] = Running(mutant, tree, log, time.monotonic())
        for process, running in list(active.items()):
            seconds = time.monotonic() - running.start
            if seconds > TIMEOUT_S:
                os.killpg(process, signal.SIGKILL)
            ended, status = os.waitpid(process, 0 if seconds > TIMEOUT_S else os.WNOHANG)
            if ended:
                del active[process]
                report(running.mutant, *judge(running, os.waitstatus_to_exitcode(status)), seconds)
                shutil.copyfile(whole / running.mutant.file, running.tree / running.mutant.file)
                trees.append(running.tree)
        time.sleep(0.1)
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description="Faults of the method that the tests must notice.")
    parser.add_argument("names", nargs="*", help="of mutants, or parts of names; all without any")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    chosen = [m for m in MUTANTS if not options.names or any(part in m.name for part in options.names)]
    set_environment()  # before numpy and torch
    for library in LIBRARIES:
        importlib.import_module(library)
    with tempfile.TemporaryDirectory(prefix="dart-mutants-") as scratch:
        counts = run(chosen, options.jobs, Path(scratch))
    print(f"{len(chosen)} mutants: " + ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
    return 0 if set(counts) <= {"killed"} else 1


if __name__ == "__main__":
    sys.exit(main())
