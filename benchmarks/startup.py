"""CPU seconds until a stage of each kind can begin: its imports, in processes of their own.

Under `dart repro` stages are forked from a process that has the libraries loaded; `fork` measures that: the command
that waits, the fork, and the imports of this project's code. The server itself is paid once per run.

    OMP_NUM_THREADS=1 python benchmarks/startup.py --repeats 3
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from dart.core.stage_server import LIBRARIES, VARIABLE

STAGES = ("suite", "distill", "reaudit", "evaluate", "paper", "audit", "targets", "generate", "train")
GOALS = {"audit": 2.0, "train": 4.0}  # CPU seconds, under `dart repro`
PROBE = "from importlib import import_module\ndef run(name):\n    import_module('stages.' + name)\n"


def cpu_seconds(command: Sequence[str], folder: Path, **variables: str) -> float:
    """CPU seconds of a command that must succeed, with its children."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "OMP_NUM_THREADS": "1", **variables}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    errors = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {errors[-2000:]}")
    return usage.ru_utime + usage.ru_stime


def children_seconds(pid: int) -> float:
    """CPU seconds of the children that a process has waited for (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--stages", nargs="+", default=list(STAGES))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dart-startup-") as scratch:
        folder = Path(scratch)
        (folder / "stages").mkdir()
        for path in (ROOT / "stages").iterdir():
            (folder / "stages" / path.name).symlink_to(path)
        for name in ("__init__", "__main__", "server"):  # they look for `src` beside themselves
            (folder / "stages" / f"{name}.py").unlink()
            (folder / "stages" / f"{name}.py").write_text((ROOT / "stages" / f"{name}.py").read_text("utf-8"), "utf-8")
        (folder / "stages/probe.py").write_text(PROBE, encoding="utf-8")
        (folder / "src").symlink_to(ROOT / "src")
        (folder / "dvc.yaml").write_text("stages: {probe: {cmd: python -m stages probe}}", encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "OMP_NUM_THREADS": "1"}
        address = folder / "socket"
        server = subprocess.Popen(
            [sys.executable, "-m", "stages.server", str(address), *LIBRARIES], cwd=folder, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        while not address.exists():
            if server.poll() is not None:
                raise RuntimeError(f"the server ended with {server.returncode}")
            time.sleep(0.1)
        print(f"{'stage':<10} {'alone':>7} {'fork':>7}   CPU seconds, median of {arguments.repeats}")
        for stage in arguments.stages:
            command = [sys.executable, "-m", "stages", "probe", stage]
            alone, forked = [], []
            for _ in range(arguments.repeats):
                alone.append(cpu_seconds(command, folder))
                before = children_seconds(server.pid)
                waiting = cpu_seconds(command, folder, **{VARIABLE: str(address)})
                forked.append(waiting + children_seconds(server.pid) - before)
            goal = f"   goal {GOALS[stage]:g}" if stage in GOALS else ""
            print(f"{stage:<10} {statistics.median(alone):7.2f} {statistics.median(forked):7.2f}{goal}", flush=True)
        server.communicate()
    helps = [cpu_seconds([sys.executable, "-m", "dart.cli.app", "--help"], ROOT) for _ in range(arguments.repeats)]
    print(f"dart --help {statistics.median(helps):.2f} (goal 0.3)")


if __name__ == "__main__":
    main()
