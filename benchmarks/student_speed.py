"""Training and paired answers beside the authors' own code, TRL and stock transformers: one work, interleaved.

    python benchmarks/student_speed.py --authors COPY [--repeat 3] [--kinds train answer] [--json FILE]

COPY is a clone of the authors' repository (github.com/zihanliang/DART); without it, their settings are imitated and
called so. Answers are those of a student with random weights, whose texts repeat themselves, of one whose texts do
not, and of the trained students of a finished run (`--project`, this one unless another is named).

Contenders run one after the other, in processes of their own that are charged the CPU seconds of themselves and their
children from loading to the last file; a ratio compares processes of one round. `library` arithmetic is torch's own,
the same for all; `portable` is what students of the embedded profile use, whose bytes are the same on every processor.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from dart.core.arithmetic import set_environment

set_environment()  # before numpy and torch are imported

from speed import work
from speed.measure import CHECKS, CONTENDERS, Interpreter, serve

TRAINING, REPEATING = "LoRA, one epoch", "answers that repeat themselves, random weights"
CHECKED = (TRAINING, REPEATING)
SLOTS, SEED_OF_RUN = ("small", "base"), 42
GOALS = {"train: authors' code": 3.5, "train: TRL tuned": 2.8, "answer: authors' code, batch 64": 4.0}
Results = dict[str, list[dict[str, Any]]]


def prepare_random(folder: Path, prompts: int, bench: Bench, **shape: float) -> None:
    """A student with random weights, and an adapter of it."""
    work.prepare(folder, {**work.NANO_SHAPE, **shape}, prompts, rows=64)
    bench.run("train: ours", folder)


def prepare_trained(folder: Path, prompts: int, project: Path, slot: str) -> None:
    """The base and the distilled adapter of a finished run, with items of its test set."""
    data = project / "data"
    (folder / "shape").symlink_to(data / "models" / "base" / slot)
    (folder / "adapter").symlink_to(data / "adapters" / slot / "distilled" / f"seed-{SEED_OF_RUN}")
    lines = (data / "suite" / "test.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    step = max(1, len(lines) // prompts)  # of every benchmark
    (folder / "items.jsonl").write_text("".join(lines[::step][:prompts]), encoding="utf-8")


def worlds(arguments: argparse.Namespace, bench: Bench) -> dict[str, tuple[str, Callable[[Path], None]]]:
    """Heading -> kind of contenders and what prepares their folder."""
    found: dict[str, tuple[str, Callable[[Path], None]]] = {}
    prompts, project = arguments.prompts, arguments.project.resolve()
    if "train" in arguments.kinds:
        found[TRAINING] = ("train", lambda folder: work.prepare(folder, rows=arguments.rows))
    if "answer" in arguments.kinds:
        found[REPEATING] = ("answer", lambda folder: prepare_random(folder, prompts, bench))
        found["answers that do not repeat themselves, random weights"] = (
            "answer", lambda folder: prepare_random(folder, prompts, bench, **work.NOT_REPEATING)
        )  # fmt: skip
        for slot in SLOTS:
            if (project / "data" / "models" / "base" / slot).is_dir():
                found[f"answers of the trained student `{slot}`"] = (
                    "answer", lambda folder, slot=slot: prepare_trained(folder, prompts, project, slot)
                )  # fmt: skip
    return {name: found[name] for name in found if not arguments.worlds or any(w in name for w in arguments.worlds)}


def spread(values: list[float], digits: int = 2) -> str:
    """The median with its range."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def ratios(results: Results, name: str, ours: str, measure: str) -> list[float]:
    """How many times the CPU seconds of `ours` `name` takes, round by round."""
    return [other[measure] / own[measure] for other, own in zip(results[name], results[ours], strict=True)]


def report(kind: str, results: Results) -> None:
    """A table in Markdown: CPU seconds, ratios to ours in both arithmetics, peak memory."""
    own = [f"{kind}: ours", f"{kind}: ours, portable"]
    measures = ("cpu_s", "loop_cpu_s") if kind == "train" else ("cpu_s",)
    heads = ["contender", "arithmetic", "CPU s", "of ours", "of ours, portable"]
    heads += ["loop alone, of ours"] if kind == "train" else []
    print("| " + " | ".join([*heads, "peak MB (imports)"]) + " |\n" + "|---" * (len(heads) + 1) + "|")
    for name, runs in results.items():
        cells = [name.partition(": ")[2], CONTENDERS[name].arithmetic, spread([r["cpu_s"] for r in runs])]
        pairs = [(ours, "cpu_s") for ours in own] + [(own[0], measure) for measure in measures[1:]]
        cells += [spread(ratios(results, name, ours, measure)) if ours in results else "" for ours, measure in pairs]
        memory = (statistics.median(r[key] for r in runs) for key in ("mb", "imports_mb"))
        print("| " + " | ".join([*cells, "{:.0f} ({:.0f})".format(*memory)]) + " |")
    for name, goal in GOALS.items():
        if name in results and own[0] in results:
            median = statistics.median(ratios(results, name, own[0], "cpu_s"))
            print(f"goal: {name} takes {goal} times our CPU seconds; {'met' if median >= goal else 'not met'}")


def compare(kind: str, results: Results) -> None:
    """Whether the contenders did the same work: rows, tokens and steps of a training, texts of answers."""
    first = results[f"{kind}: ours"][0]
    if kind == "train":
        print(f"{first['rows']} rows of {first['row_tokens'] / first['rows']:.0f} tokens, {first['steps']} steps")
        for name, (other, *_) in results.items():
            if different := [key for key in ("rows", "row_tokens", "steps") if other[key] != first[key]]:
                print(f"{name}: other work: " + ", ".join(f"{key} {other[key]}" for key in different))
        return
    count = sum(len(texts) for texts in first["texts"].values())
    print(f"{count} texts, {first['tokens']} tokens")
    for name, (other, *_) in results.items():
        pairs = [(first["texts"][v], other["texts"][v]) for v in first["texts"]]
        same = sum(a.strip() == b.strip() for ours, theirs in pairs for a, b in zip(ours, theirs, strict=True))
        print(f"{name}: {same} of {count} texts are equal to ours")


def contenders(kind: str, arguments: argparse.Namespace) -> list[str]:
    """The names of what runs: the authors' code where a copy of it is named, its imitation where none is."""
    absent = "imitation" if arguments.authors else "authors"
    names = [name for name, c in CONTENDERS.items() if name.startswith(kind) and c.group != absent]
    return [name for name in names if not arguments.contenders or name in (f"{kind}: ours", *arguments.contenders)]


class Bench:
    """Started contenders, and all results so far, written after every run."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._started: dict[tuple[str, int], Interpreter] = {}
        self._results: dict[str, Results] = {}

    def run(self, name: str, folder: Path, threads: int = 1) -> dict[str, Any]:
        key = (name, threads)
        if key not in self._started:
            self._started[key] = Interpreter(name, threads, self._arguments.authors)
        return self._started[key].run(folder)

    def measure(self, heading: str, kind: str, folder: Path) -> None:
        """All contenders in turn on the work in `folder`, and what came of it, printed."""
        rounds = self._arguments.repeat
        for threads in self._arguments.threads:
            results: Results = {name: [] for name in contenders(kind, self._arguments)}
            self._results[f"{heading}, {threads} thread(s)"] = results
            for _ in range(rounds):
                for name in results:
                    results[name].append(self.run(name, folder, threads))
                    if self._arguments.json:
                        self._arguments.json.write_text(json.dumps(self._results), encoding="utf-8")
            print(f"\n## {heading}, {threads} thread(s), {rounds} round(s)\n")
            report(kind, results)
            compare(kind, results)
            sys.stdout.flush()

    def check(self, kind: str, folder: Path) -> None:
        """Whether this project computes what stock tools compute, and the same in batches of any size."""
        if kind == "train":
            curves = self.run("check: loss curves", folder)
            print(f"loss curves, ours and stock in our order, no dropout: {curves['points']} points, "
                  f"at most {curves['apart']:.1e} apart (goal 1e-4)")  # fmt: skip
            return
        batches = self.run("check: batch independence", folder)
        for precision, same in batches["same"].items():
            print(f"{precision}: {same} of {batches['of']} texts are equal in batches of 1 and of 64")

    def close(self) -> None:
        for interpreter in self._started.values():
            interpreter.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--authors", type=lambda name: Path(name).resolve() if name else None, metavar="COPY")
    parser.add_argument("--project", type=Path, default=ROOT, help="clone with a finished run")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--rows", type=int, default=work.ROWS, help="of which 5 %% are the authors' validation set")
    parser.add_argument("--prompts", type=int, default=work.PROMPTS)
    parser.add_argument("--kinds", nargs="+", default=["train", "answer"], choices=["train", "answer"])
    parser.add_argument("--worlds", nargs="+", help="those alone whose heading contains one of these")
    parser.add_argument("--contenders", nargs="+", choices=list(CONTENDERS), help="these alone, beside ours")
    parser.add_argument("--no-checks", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", choices=[*CONTENDERS, *CHECKS], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        serve(arguments.only, arguments.authors)
        return
    if arguments.authors and not (arguments.authors / "model").is_dir():
        raise SystemExit(f"{arguments.authors} has no folder `model`: it is not a copy of the authors' repository.")
    bench = Bench(arguments)
    for heading, (kind, prepare) in worlds(arguments, bench).items():
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            prepare(folder)
            bench.measure(heading, kind, folder)
            if not arguments.no_checks and heading in CHECKED:
                bench.check(kind, folder)
    bench.close()


if __name__ == "__main__":
    main()
