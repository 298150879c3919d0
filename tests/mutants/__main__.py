"""`make mutants`: faults of the method, put into a copy of the tree one at a time; the tests must notice each of them.

A fault that no test notices is one that could be there now. Each mutant is a textual edit with the tests that should
fail; they run in a copy of the tracked files, so the working tree is never touched.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import Literal

from tests.mutants.mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 300
Verdict = Literal["killed", "SURVIVED", "STALE", "BROKEN"]


def copy_tree(target: Path) -> Path:
    """The tracked and the new files of the working tree, without outs, in `target`."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("metrics/", "plots/")):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    return target


def run(mutant: Mutant, tree: Path) -> tuple[Verdict, str]:
    """Put the fault in, run its tests, take it out."""
    file = tree / mutant.file
    before = file.read_text(encoding="utf-8") if file.is_file() else ""
    if before.count(mutant.old) != 1:
        return "STALE", f"{mutant.file} has the text {before.count(mutant.old)} times"
    file.write_text(before.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        return _tested(mutant, tree)
    finally:
        file.write_text(before, encoding="utf-8")


def _tested(mutant: Mutant, tree: Path) -> tuple[Verdict, str]:
    environment = {
        **os.environ, "PYTHONPATH": f"{tree / 'src'}{os.pathsep}{tree}", "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1", "DART_CACHE_DIR": str(tree / ".cache"), "HYPOTHESIS_PROFILE": "mutants",
    }  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", *mutant.tests]
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return "killed", "the tests did not end"
    last = next((line for line in reversed(done.stdout.splitlines()) if line.startswith("FAILED ")), "")
    if done.returncode == 1:
        return "killed", last.removeprefix("FAILED ").partition(" - ")[0]
    if done.returncode == 0:
        return "SURVIVED", " ".join(mutant.tests)
    return "BROKEN", (done.stdout + done.stderr).strip()[-300:]


def main() -> int:
    parser = argparse.ArgumentParser(description="Faults of the method that the tests must notice.")
    parser.add_argument("names", nargs="*", help="of mutants, or parts of names; all without any")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    chosen = [m for m in MUTANTS if not options.names or any(part in m.name for part in options.names)]
    trees: Queue[Path] = Queue()
    verdicts: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="dart-mutants-") as scratch, ThreadPoolExecutor(options.jobs) as pool:
        for job in range(options.jobs):
            trees.put(copy_tree(Path(scratch) / str(job)))

        def work(mutant: Mutant) -> tuple[Mutant, Verdict, str, float]:
            tree, start = trees.get(), time.monotonic()
            try:
                return mutant, *run(mutant, tree), time.monotonic() - start
            finally:
                trees.put(tree)

        for mutant, verdict, detail, seconds in pool.map(work, chosen):
            verdicts[verdict] = verdicts.get(verdict, 0) + 1
            print(f"{verdict:8} {seconds:5.1f} s  {mutant.name:45} {detail}", flush=True)
    print(f"{len(chosen)} mutants: " + ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())))
    return 0 if set(verdicts) <= {"killed"} else 1


if __name__ == "__main__":
    sys.exit(main())
