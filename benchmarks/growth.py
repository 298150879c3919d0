"""How time and memory grow with the size of the suite and with the number of stages.

Copies the outs of a finished run (the folder that this is started in), multiplies its test set by renamed copies of
items and records, and runs the stages that neither train nor answer there. Training and answering are measured by
their slopes, from few steps and prompts; DVC by generated graphs. CPU seconds, children included: fit for a machine
that others use too. The changed files stand in a temporary folder.

    OMP_NUM_THREADS=1 python benchmarks/growth.py --sizes 1 4 16 --stages 20 60 120 --figure docs/growth.svg
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
COPIED = (
    "params.yaml",
    "profiles",
    "dvc.yaml",
    "ablations",
    "recipes",
    "external",
    "docs",
)  # no metrics of another size
BY_ITEM = ("suite/test.jsonl", "generations/**/*.jsonl", "audit/**/*.jsonl", "policy/**/*.jsonl", "repair/**/*.jsonl",
           "annotation/**/*.jsonl")  # fmt: skip
KEYS = ("id", "item_id")
# name, command behind the interpreter, what its work is
WORK = (
    ("reaudit@small", ("-m", "stages", "reaudit", "small"), "screen and simulated judge, 5 seeds, 2 variants"),
    ("calibrate", ("-m", "stages", "calibrate"), "annotated pairs"),
    ("evaluate", ("-m", "stages", "evaluate"), "all tests, 2 students, 5 seeds, 10,000 resamples"),
    ("paper", ("-m", "stages", "paper"), "tables, figures, page, samples"),
    ("viewer", ("-m", "dart.cli.app", "viewer", "--out", "samples.html"), "the page of samples alone"),
)
LEARN = """
import json, sys, tempfile, time
from pathlib import Path
from dart.core.arithmetic import set_environment
set_environment()
from dart.core import layout, params
from dart.core.files import read_jsonl
from dart.core.records import Item, Rationale
from dart.distill.rows import distillation_rows
from dart.student.generation import generate
from dart.student.train import train_adapter
settings, profile = params.check()
spec, base = profile.students["small"], layout.base("small")
items = {item.id: item for item in read_jsonl(layout.SUITE / "train.jsonl", Item)}
rows = distillation_rows(read_jsonl(layout.RATIONALES, Rationale), items)
prompts = read_jsonl(layout.SUITE / "validation.jsonl", Item) + list(items.values())
seconds = {"train": {}, "answer": {}}
with tempfile.TemporaryDirectory() as scratch:
    for steps in (2, 10, 50):
        began = time.process_time()
        train_adapter(base, spec, rows, settings.lora, settings.training, 42, Path(scratch) / str(steps), steps=steps)
        seconds["train"][steps * settings.training.global_batch] = time.process_time() - began
    for n in (20, 80, 320):
        began = time.process_time()
        generate(base, spec, {"arm": Path(scratch) / "50"}, prompts[:n], settings.generation, 42)
        seconds["answer"][n] = time.process_time() - began
print(json.dumps(seconds))
"""


class Cost(NamedTuple):
    """What a command took, with its children."""

    cpu_s: float
    peak_mb: float


def measured(command: Sequence[str], folder: Path) -> Cost:
    """Run a command to its end.

    Raises:
        RuntimeError: it fails; with the end of what it printed.
    """
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "DVC_NO_ANALYTICS": "1",
                   "DART_CACHE_DIR": str(folder / ".cache"), "OMP_NUM_THREADS": "1"}  # fmt: skip
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            text = output.read().decode(errors="replace")
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {text[-2000:]}")
    peak = usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return Cost(usage.ru_utime + usage.ru_stime, peak)


def multiplied(run: Path, folder: Path, factor: int) -> Path:
    """The files of a finished run with every test item `factor` times, under names of their own."""
    folder.mkdir(parents=True)
    for name in COPIED:
        if (run / name).is_dir():
            shutil.copytree(run / name, folder / name)
        elif (run / name).is_file():
            shutil.copy2(run / name, folder / name)
    for name in ("stages", "src"):  # stages import the code beside them
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(run / "data", folder / "data", ignore=shutil.ignore_patterns("arms", "recipes", "paper"))
    for pattern in BY_ITEM if factor > 1 else ():
        for path in sorted((folder / "data").glob(pattern)):
            _multiply(path, factor)
    return folder


def _multiply(path: Path, factor: int) -> None:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if not rows or not any(key in rows[0] for key in KEYS):
        return
    with path.open("w", encoding="utf-8") as file:
        for copy in range(factor):
            for row in rows:
                own = {key: f"{row[key]}+{copy}" for key in KEYS if key in row} if copy else {}
                file.write(json.dumps({**row, **own}, ensure_ascii=False) + "\n")


def graph_of(folder: Path, n: int) -> Path:
    """A committed DVC repository of `n` stages in rows of four, all up to date."""
    folder.mkdir(parents=True)
    stages: dict[str, Any] = {}
    (folder / "params.yaml").write_text("seed: 1\n", encoding="utf-8")
    (folder / "data").mkdir()
    for index in range(n):
        (folder / f"data/{index}").write_text(f"{index}\n", encoding="utf-8")
        stages[f"s{index}"] = {
            "cmd": f"cp params.yaml data/{index}", "params": ["seed"], "outs": [f"data/{index}"],
            **({"deps": [f"data/{index - 4}"]} if index >= 4 else {}),
        }  # fmt: skip
    (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}), encoding="utf-8")
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"],
                    [sys.executable, "-m", "dvc", "commit", "-q", "-f"]):  # fmt: skip
        measured(command, folder)
    return folder


def slope(costs: dict[int, float]) -> float:
    """Cost of one more unit between the smallest and the largest size."""
    low, high = min(costs), max(costs)
    return (costs[high] - costs[low]) / (high - low) if high > low else float("nan")


def by_size(run: Path, scratch: Path, sizes: Sequence[int], names: Sequence[str]) -> dict[str, dict[int, Cost]]:
    """{stage: {test items: cost}}, printed as they come."""
    costs: dict[str, dict[int, Cost]] = {}
    for factor in sizes:
        folder = multiplied(run, scratch / f"x{factor}", factor)
        items = len((folder / "data/suite/test.jsonl").read_text(encoding="utf-8").splitlines())
        for name, command, _ in WORK:
            if name in names:
                cost = measured([sys.executable, *command], folder)
                costs.setdefault(name, {})[items] = cost
                print(
                    f"x{factor:<3} {name:<14} {items:>6} items {cost.cpu_s:8.1f} CPU-s {cost.peak_mb:7.0f} MB",
                    flush=True,
                )
        shutil.rmtree(folder)
    return costs


def by_stages(scratch: Path, counts: Sequence[int]) -> dict[str, dict[int, Cost]]:
    """{command: {stages: cost}} of `dvc repro` with nothing to do, and of `dart repro`'s plan."""
    costs: dict[str, dict[int, Cost]] = {}
    for n in counts:
        folder = graph_of(scratch / f"graph{n}", n)
        for name, command in (
            ("dvc repro", ("-m", "dvc", "repro", "-q")),
            ("dart repro", ("-m", "dart.cli.app", "repro")),
        ):
            costs.setdefault(name, {})[n] = cost = measured([sys.executable, *command], folder)
            print(f"{n:>4} stages {name:<10} {cost.cpu_s:8.2f} CPU-s {cost.peak_mb:7.0f} MB", flush=True)
    return costs


def by_rows(run: Path) -> dict[str, dict[int, float]]:
    """{"train" | "answer": {rows or prompts: CPU seconds}} of student small."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", LEARN], cwd=run, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    seconds = json.loads(done.stdout.splitlines()[-1])
    return {name: {int(n): value for n, value in series.items()} for name, series in seconds.items()}


def table(title: str, unit: str, series: dict[str, dict[int, Cost]]) -> list[str]:
    """Rows of Markdown: cost at each size, and the slopes."""
    sizes = sorted({n for costs in series.values() for n in costs})
    head = [title, *(f"{n:,}" for n in sizes), f"CPU-s per 1,000 {unit}", f"MB per 1,000 {unit}"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name, costs in series.items():
        cells = [f"{costs[n].cpu_s:.1f} s, {costs[n].peak_mb:,.0f} MB" if n in costs else "" for n in sizes]
        per = [1000 * slope({n: value(cost) for n, cost in costs.items()}) for value in (_cpu, _peak)]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {per[0]:.2f} | {per[1]:.1f} |")
    return lines


def _cpu(cost: Cost) -> float:
    return cost.cpu_s


def _peak(cost: Cost) -> float:
    return cost.peak_mb


def draw(sizes: dict[str, dict[int, Cost]], stages: dict[str, dict[int, Cost]], path: Path) -> None:
    """Three panels: CPU seconds and memory by items, CPU seconds by stages."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.hashsalt": "growth", "svg.fonttype": "none", "font.size": 8})
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(9, 2.8), layout="constrained")
    panels: tuple[tuple[Any, dict[str, dict[int, Cost]], Callable[[Cost], float], str, str], ...] = (
        (axes[0], sizes, _cpu, "test items", "CPU seconds"),
        (axes[1], sizes, _peak, "test items", "peak memory, MB"),
        (axes[2], stages, _cpu, "stages, all up to date", "CPU seconds"),
    )
    for axis, series, value, x, y in panels:
        for name, costs in series.items():
            axis.plot(sorted(costs), [value(costs[n]) for n in sorted(costs)], marker="o", markersize=3, label=name)
        axis.set(xlabel=x, ylabel=y, xlim=(0, None), ylim=(0, None))
        axis.legend(frameon=False, fontsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path(), help="a checkout whose outs are there")
    parser.add_argument("--sizes", type=int, nargs="*", default=[1, 4, 16], help="multiples of the test set")
    parser.add_argument("--stages", type=int, nargs="*", default=[20, 60, 120], help="numbers of stages")
    parser.add_argument("--only", nargs="+", default=[name for name, _, _ in WORK], help="which of the stages")
    parser.add_argument(
        "--results", type=Path, help="a JSON file: what it holds is drawn too, and what is new is added"
    )
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--no-learning", action="store_true", help="without the slopes of training and answering")
    arguments = parser.parse_args()
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    kept: dict[str, Any] = {"sizes": {}, "stages": {}, "rows": {}}
    if arguments.results and arguments.results.is_file():
        kept = json.loads(arguments.results.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="dart-growth-") as scratch:
        run = arguments.run.resolve()
        for part, series in (
            ("sizes", by_size(run, Path(scratch), arguments.sizes, arguments.only)),
            ("stages", by_stages(Path(scratch), arguments.stages)),
            ("rows", {} if arguments.no_learning else by_rows(run)),
        ):
            for name, costs in series.items():
                kept[part].setdefault(name, {}).update({str(n): cost for n, cost in costs.items()})
                if arguments.results:
                    arguments.results.write_text(json.dumps(kept), encoding="utf-8")
    sizes, stages = (
        {name: {int(n): Cost(*cost) for n, cost in costs.items()} for name, costs in kept[part].items()}
        for part in ("sizes", "stages")
    )
    print(
        "\n".join(["", *table("stage, by test items", "items", sizes), "", *table("by stages", "stages", stages), ""])
    )
    for name, costs in kept["rows"].items():
        seconds = {int(n): value for n, value in costs.items()}
        unit = "rows (steps x global batch)" if name == "train" else "prompts"
        shown = ", ".join(f"{n}: {value:.2f} s" for n, value in sorted(seconds.items()))
        print(f"{name}: {1000 * slope(seconds):.1f} CPU-ms each, by {unit} ({shown})")
    if arguments.figure:
        draw(sizes, stages, arguments.figure)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{time.monotonic() - began:.0f} s, {cpu:.0f} CPU-s")


if __name__ == "__main__":
    main()
