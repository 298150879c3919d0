"""Are the bytes of small models equal on processors that are not here? Emulates an Intel and an AMD with AVX2.

    apt-get install -y qemu-user
    python benchmarks/portable_cpus.py [--cpus Haswell-v4 EPYC-Rome] [--jobs 2] [--limit-s 7200]

Runs the fingerprints of tests/support/fingerprints.py in emulators and prints, for each result, whether it is the
committed one; exits with 1 if one differs or did not come. An emulator runs the same python and site-packages and is
told nothing about arithmetic. It shows this machine's /proc/cpuinfo, so numpy is asked to leave out instructions that
the emulated processor lacks anyway. It is some fifty times slower: allow half an hour on a free core.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMITTED = ROOT / "tests" / "fixtures" / "fingerprints.json"
EMULATOR = "qemu-x86_64"


def emulated(cpu: str, limit_s: float) -> dict[str, str]:
    """Name and digest of each result that came in time."""
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT), sysconfig.get_path("purelib")])
    variables = {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1"}
    command = [EMULATOR, "-cpu", cpu]
    for name, value in variables.items():
        command += ["-E", f"{name}={value}"]
    # The emulator needs a program, not the link that a virtual environment has.
    command += [str(Path(sys.executable).resolve()), "-m", "tests.support.fingerprints"]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=_plain_environment(), capture_output=True, text=True, timeout=limit_s, check=False
        )
        output = done.stdout
        if done.returncode:
            print(f"{cpu}: {done.stderr[-2000:]}", file=sys.stderr)
    except subprocess.TimeoutExpired as error:
        output = (error.stdout or b"").decode()
    return dict(line.split("\t") for line in output.splitlines() if "\t" in line)


def _plain_environment() -> dict[str, str]:
    """Without anything that decides the arithmetic, which the entry point itself must set."""
    prefixes = ("ATEN_", "OPENBLAS_", "NPY_", "MKL_", "OMP_", "ONEDNN_")
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpus", nargs="+", default=["Haswell-v4", "EPYC-Rome"])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--limit-s", type=float, default=7200)
    options = parser.parse_args()
    committed: dict[str, str] = json.loads(COMMITTED.read_text(encoding="utf-8"))
    with ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(lambda cpu: emulated(cpu, options.limit_s), options.cpus))
    equal = True
    for cpu, result in zip(options.cpus, results, strict=True):
        for name, digest in committed.items():
            verdict = "equal" if result.get(name) == digest else "DIFFERS" if name in result else "did not come"
            equal = equal and verdict == "equal"
            print(f"{cpu:15} {name:45} {verdict}")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
