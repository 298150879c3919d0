"""`make stress`: hostile input, endpoints with faults, and kills; a table of what was tried and what became of it.

Not part of `make test`: it takes minutes, and its kills come at random instants (--seed names them).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from dart.core.arithmetic import set_environment

set_environment()  # before anything imports numpy or torch

ROOT = Path(__file__).resolve().parents[2]
ENDPOINTS = ("tests/chat/test_faults.py", "tests/chat/test_sockets.py", "tests/chat/test_resume.py")


def inputs(only: str) -> bool:
    """Every hostile input; whether none failed."""
    from tests.stress.harness import run_case, summary
    from tests.stress.inputs import cases

    results = []
    with tempfile.TemporaryDirectory(prefix="dart-stress-models-") as scratch:
        os.environ["DART_CACHE_DIR"] = str(Path(scratch) / "cache")
        for case in cases(Path(scratch)):
            if only not in f"{case.area}: {case.name}":
                continue
            result = run_case(case)
            results.append(result)
            if result.verdict == "failed":
                print(f"FAILED {case.area}: {case.name}\n       {result.detail}", flush=True)
    print(summary(results))
    return all(result.verdict != "failed" for result in results)


def endpoints() -> bool:
    """The client against the fault server, by its tests."""
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", *ENDPOINTS], cwd=ROOT, check=False)
    print(f"endpoints with faults: {'survived' if done.returncode == 0 else 'FAILED'}")
    return done.returncode == 0


def kills(count: int, seed: int) -> bool:
    """Every stage killed `count` times; whether all ended with the same bytes."""
    from tests.stress.kills import kill_all, prepare

    good = True
    print(f"{'killed':28} {'tried':>6} {'hit':>6} {'failed':>7} {'whole run':>10}", flush=True)
    with tempfile.TemporaryDirectory(prefix="dart-stress-kills-") as scratch:
        for killed in kill_all(prepare(Path(scratch)), count, seed):
            good &= not killed.problems
            print(
                f"{killed.name:28} {killed.kills:6} {killed.hits:6} {len(killed.problems):7} {killed.seconds:8.1f} s",
                flush=True,
            )
            for problem in killed.problems:
                print(f"       {problem}", flush=True)
        os.chdir(ROOT)
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description="Hostile input, endpoints with faults, and kills.")
    parser.add_argument("parts", nargs="*", help="inputs, endpoints or kills; all without any")
    parser.add_argument("--only", default="", help="inputs whose area or name contains this")
    parser.add_argument("--kills", type=int, default=10, help="of each stage")
    parser.add_argument("--seed", type=int, default=0, help="of the instants of the kills")
    options = parser.parse_args()
    parts = {
        "inputs": lambda: inputs(options.only),
        "endpoints": endpoints,
        "kills": lambda: kills(options.kills, options.seed),
    }
    if unknown := set(options.parts) - parts.keys():
        parser.error(f"unknown part {', '.join(sorted(unknown))}")
    results = {name: parts[name]() for name in parts if not options.parts or name in options.parts}
    print("; ".join(f"{name}: {'good' if good else 'FAILED'}" for name, good in results.items()))
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
