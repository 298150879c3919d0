"""How the embedded world behaves over seeds: the whole experiment per seed, in a temporary folder, as one table.

`--seeds` are of the world: suite, base, classifiers, teacher and judge. `--training-seeds` are of Stage I and III on
each base; without them a world is trained once, with its own seed. Each has three recipes of Stage III with as many
steps: `control` (no repair rows), `published` (Section 2.5) and `mended`, in which the training rationales that the
audit flags with a two-sided screen are replaced by safe ones. One half of the items is repaired (`R`), the other is not
(`U`); `--whole` repairs all of them, as the paper does. Tune nothing on `--split test`; it is for the final report.

    python benchmarks/world_seeds.py --profile embedded --seeds 42 --training-seeds 42 0 1 2 3 --students small base \
        --split validation --json seeds.json
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded: see docs of the embedded students
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from dart.core.arithmetic import set_environment

set_environment()  # before numpy and torch are imported

from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.core import params
from dart.core.files import write_json
from dart.core.records import AuditRecord, Generation, Item, Rationale, RepairTarget, TrainingRow
from dart.core.seeds import unit_interval
from dart.distill.rationales import write_rationales
from dart.distill.rows import distillation_rows
from dart.harm.audit import audit
from dart.harm.classifier import Classifier, score_generations
from dart.harm.screen import SCREEN_ALL, toxicity_of
from dart.prompts.answer_format import parse
from dart.repair.mix import mix
from dart.repair.targets import safe_targets
from dart.simulation.classifier import train_classifier
from dart.simulation.student import train_student
from dart.simulation.suite import write_suite
from dart.simulation.transport import transport_for
from dart.simulation.truth import drift_kind, true_drift
from dart.stats.drift import cases, precision_recall
from dart.student.generation import generate
from dart.student.train import train_adapter
from dart.suite.sources import read_suite
from dart.suite.split import split_suite

Row = dict[str, Any]
RECIPES = ("control", "published", "mended")
LOST = "lost"


class World:
    """One base seed of the experiment, in a folder; existing results are not repeated."""

    def __init__(
        self, settings: params.Params, profile: params.Profile, seed: int, split: str, folder: Path, whole: bool
    ) -> None:
        self.settings, self.profile, self.seed, self.folder, self.split = settings, profile, seed, folder, split
        local = os.environ.get("DART_DATA_DIR")
        source = (
            write_suite(seed)
            if profile.suite.source == "embedded"
            else read_suite(profile.suite.source, Path(local) if local else None)
        )
        self.suite = split_suite(source.items, profile.suite, settings.split, seed)
        self.items: list[Item] = getattr(self.suite, split)
        self.repaired = {item.id for item in self.items if whole or unit_interval("half", item.id) < 0.5}
        self.by_id = {item.id: item for item in (*self.suite.train, *self.items)}
        self.cache = ResponseCache(folder / "answers.sqlite")
        self.spent: dict[str, float] = {}
        self.classifier = self._scorer()
        self.rationales, outcome = write_rationales(self.suite.train, self.client("teacher"), settings.distill)
        outcome.require_complete("distill")

    def client(self, party: str) -> ChatClient:
        endpoint = getattr(self.profile, party)
        transport = transport_for(endpoint, self.profile.simulation, self.seed)
        return ChatClient(endpoint, stage="benchmark", transport=transport, cache=self.cache)

    def _scorer(self) -> Classifier:
        spec, out = self.profile.scorers.toxicity, self.folder / "toxicity"
        if not out.exists():
            self._timed("classifier", train_classifier, self.suite.outside, spec, "toxicity", self.seed, out)
        return Classifier.load(out, spec)

    def _timed(self, name: str, work: Any, *arguments: Any, **options: Any) -> Any:
        start = time.process_time()
        result = work(*arguments, **options)
        self.spent[name] = round(time.process_time() - start, 1)
        return result

    def base(self, slot: str) -> Row:
        """The base of a slot: its answers, and how the teacher's rationales of the training items differ from them."""
        home, spec = self.folder / slot, self.profile.students[slot]
        if not (home / "base").exists():
            self._timed("base", train_student, self.suite.outside, spec, self.seed, home / "base")
        base = self._answers(slot, {"base": None}, self.items)["base"]
        on_train = self._answers(slot, {"base": None}, self.suite.train)["base"]
        teacher = score_generations(
            [_explained(answer, row) for answer, row in zip(on_train, self.rationales, strict=True)], self.classifier
        )
        truth = true_drift(on_train, teacher)
        flagged = self._audit(self.suite.train, on_train, teacher, two_sided=True)
        safe = {target.item_id: target for target in self._targets(self.suite.train, flagged, teacher)}
        mended = [
            row.model_copy(update={"text": safe[row.item_id].text}) if row.item_id in safe else row
            for row in self.rationales
        ]
        return {
            "answers": base,
            "mended": mended,
            "teacher": {"drift": len(truth) / len(teacher), **agreement(flagged, truth)},
        }

    def student(self, slot: str, training_seed: int, base: Row) -> Row:
        """Distilled, control, published and mended of one slot and training seed, and what the audits say."""
        home, spec = self.folder / slot / str(training_seed), self.profile.students[slot]
        self.spent = {}
        rows = distillation_rows(self.rationales, self.by_id)

        def trained(name: str, data: Sequence[TrainingRow], **options: Any) -> list[Generation]:
            if not (home / name).exists():
                self._timed(
                    name, train_adapter, self.folder / slot / "base", spec, data, self.settings.lora,
                    self.settings.training, training_seed, home / name, **options,
                )  # fmt: skip
            return self._answers(slot, {name: home / name}, self.items)[name]

        reference = base["answers"]
        distilled = trained("distilled", rows)
        audits = {two: self._audit(self.items, reference, distilled, two_sided=two) for two in (False, True)}
        targets = {
            two: [target for target in self._targets(self.items, records, distilled) if target.item_id in self.repaired]
            for two, records in audits.items()
        }
        weights = self.settings.severity_weights
        mixes = {
            "control": rows,
            "published": mix(self.rationales, targets[False], self.by_id, weights),
            "mended": mix(base["mended"], targets[True], self.by_id, weights),
        }
        batch = self.settings.training.global_batch
        steps = spec.epochs_of("stage3", self.settings.training) * math.ceil(len(mixes["published"]) / batch)
        answers = {"distilled": distilled} | {
            name: trained(name, mixes[name], start_from=home / "distilled", steps=steps) for name in RECIPES
        }
        truth = {name: true_drift(reference, texts) for name, texts in answers.items()}
        return {
            "seed": self.seed, "training_seed": training_seed, "student": slot,
            "repair_rows": len(mixes["published"]) - len(rows), "steps": steps, "teacher": base["teacher"],
            "base": decision(self.items, reference),
            **{
                name: decision(self.items, texts)
                | {"drift": len(truth[name]) / len(self.items), "classes": classes(self.items, reference, texts)}
                | {"net": net(truth["distilled"], truth[name])}
                | {"net_repaired": net(truth["distilled"], truth[name], self.repaired)}
                | {"net_untouched": net(truth["distilled"], truth[name], self.by_id.keys() - self.repaired)}
                for name, texts in answers.items()
            },
            "audit": {
                "one_sided": agreement(audits[False], truth["distilled"]),
                "two_sided": agreement(audits[True], truth["distilled"]),
            },
            "toxicity": {name: toxicity(texts) for name, texts in {"base": reference, **answers}.items()},
            "cpu_s": self.spent,
        }  # fmt: skip

    def _answers(
        self, slot: str, adapters: Mapping[str, Path | None], items: Sequence[Item]
    ) -> dict[str, list[Generation]]:
        spec, decoding = self.profile.students[slot], self.settings.generation
        name = "generate " + " ".join(adapters)
        base = self.folder / slot / "base"
        texts = self._timed(name, generate, base, spec, adapters, items, decoding, self.seed)
        return {variant: score_generations(answers, self.classifier) for variant, answers in texts.items()}

    def _audit(
        self, items: Sequence[Item], base: list[Generation], other: list[Generation], *, two_sided: bool
    ) -> list[AuditRecord]:
        """The audit with the screen of Eq. 1, or also of pairs whose toxicity falls by more than its threshold."""
        tau, protocol = self.settings.tau_delta, self.settings.audit
        records, outcome = audit(items, base, other, SCREEN_ALL, self.client("judge"), protocol, self.seed)
        outcome.require_complete("audit")
        return [
            record
            if (abs(record.delta) if two_sided else record.delta) > tau
            else record.model_copy(update={"severity": None})
            for record in records
        ]

    def _targets(
        self, items: Sequence[Item], records: Sequence[AuditRecord], answers: Sequence[Generation]
    ) -> list[RepairTarget]:
        """Accepted safe targets; one that restores a lost caution need not be less toxic than the answer without it."""
        deltas = {record.item_id: record.delta for record in records}
        targets, outcome = safe_targets(
            items, records, answers, self.client("teacher"), self.classifier, self.settings.repair,
            self.settings.distill,
        )  # fmt: skip
        outcome.require_complete("targets")
        accepted = []
        for target in targets:
            waived = (
                deltas[target.item_id] < 0
                and len(target.problems) == 1
                and target.toxicity >= target.toxicity_distilled
            )
            if target.accepted or waived:
                accepted.append(target.model_copy(update={"accepted": True}))
        return accepted


def _explained(answer: Generation, row: Rationale) -> Generation:
    """The teacher's rationale of an item in the place of the base's answer to it."""
    parsed = parse(row.text)
    return answer.model_copy(
        update={"text": row.text, "rationale": parsed.rationale, "prediction": parsed.prediction, "toxicity": None}
    )


def decision(items: Sequence[Item], answers: Sequence[Generation]) -> Row:
    """Decision quality as in Table 2; an unparsed answer is a wrong one."""
    right = [answer.prediction == item.gold for item, answer in zip(items, answers, strict=True)]
    parsed = [answer.prediction for answer in answers if answer.prediction is not None]

    def accuracy(selected: Sequence[bool]) -> float:
        chosen = [hit for hit, counts in zip(right, selected, strict=True) if counts]
        return sum(chosen) / len(chosen)

    return {
        "parse": len(parsed) / len(items),
        "accuracy": accuracy([True] * len(items)),
        "DIFF": accuracy([item.condition == "DIFF" for item in items]),
        "EQUAL": accuracy([item.condition == "EQUAL" for item in items]),
    }


def classes(items: Sequence[Item], base: Sequence[Generation], answers: Sequence[Generation]) -> dict[str, int]:
    """True drift cases by benchmark; lost cautions apart."""
    count: Counter[str] = Counter()
    for item, before, after in zip(items, base, answers, strict=True):
        if kind := drift_kind(before.rationale, after.rationale):
            count[f"{item.benchmark} {LOST}" if kind == LOST else item.benchmark] += 1
    return dict(sorted(count.items()))


def net(before: Mapping[str, str], after: Mapping[str, str], among: Collection[str] | None = None) -> float | None:
    """Net reduction of true drift as a share of the cases before, among some items or all; None without a case."""
    counts = [sum(among is None or item in among for item in drift) for drift in (before, after)]
    return 1 - counts[1] / counts[0] if counts[0] else None


def toxicity(answers: Sequence[Generation]) -> Row:
    """H of the rationales: mean, median and the 95th percentile."""
    values = [toxicity_of(answer) for answer in answers]
    return {
        "mean": statistics.mean(values),
        "median": statistics.median(values),
        "q95": statistics.quantiles(values, n=20)[-1],
    }


def agreement(records: Sequence[AuditRecord], truth: Mapping[str, str]) -> Row:
    """Precision and recall of the audit's drift cases against the truth."""
    drift_cases = cases(records)
    return {"cases": len(drift_cases), "true": len(truth), **precision_recall(drift_cases, truth)._asdict()}


def one_world(seed: int, arguments: argparse.Namespace, folder: Path) -> list[Row]:
    """All slots and training seeds of one world; runs in a process of its own."""
    logging.basicConfig(level=logging.WARNING, format=f"seed {seed}: %(message)s")
    settings, profile = read(arguments.profile)
    home = folder / f"{arguments.profile}-{arguments.split}-{seed}"
    home.mkdir(parents=True, exist_ok=True)
    world = World(settings, profile, seed, arguments.split, home, arguments.whole)
    rows = []
    for slot in arguments.students:
        base = world.base(slot)
        for training_seed in arguments.training_seeds or [seed]:
            rows.append(world.student(slot, training_seed, base))
            print(line(rows[-1]), flush=True)
    return rows


def read(profile_name: str) -> tuple[params.Params, params.Profile]:
    """params.yaml and a profile, validated together."""
    return params.check(ROOT, profile_name)


COLUMNS = {
    "seed": "seed", "train": "training_seed", "student": "student", "teacher": "teacher.drift",
    "b.parse": "base.parse", "b.acc": "base.accuracy", "b.EQ": "base.EQUAL",
    "acc": "distilled.accuracy", "DIFF": "distilled.DIFF", "EQ": "distilled.EQUAL", "drift": "distilled.drift",
    "prec": "audit.one_sided.precision", "rec": "audit.one_sided.recall",
    "prec2": "audit.two_sided.precision", "rec2": "audit.two_sided.recall",
    **{
        f"{name[0]}.{short}": f"{name}.{key}"
        for name in RECIPES
        for short, key in (
            ("acc", "accuracy"), ("DIFF", "DIFF"), ("EQ", "EQUAL"),
            ("net", "net"), ("R", "net_repaired"), ("U", "net_untouched"),
        )
    },
}  # fmt: skip


def line(row: Row | None) -> str:
    """One line of the table; None gives its head."""
    if row is None:
        return " ".join(f"{name:>7}" for name in COLUMNS)
    return " ".join(f"{_shown(row, path):>7}" for path in COLUMNS.values())


def _shown(row: Row, path: str) -> str:
    value: Any = row
    for key in path.split("."):
        value = value[key]
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def summary(rows: Sequence[Row]) -> str:
    """Mean and range over rows of every column with numbers, and the drift cases by class, summed."""
    lines = []
    for name, path in COLUMNS.items():
        values = [float(_shown(row, path)) for row in rows if _shown(row, path).lstrip("-")[:1].isdigit()]
        if values and name not in ("seed", "train"):
            lines.append(f"{name:>7} {statistics.mean(values):7.3f}  {min(values):.3f} .. {max(values):.3f}")
    for name in ("distilled", *RECIPES):
        total = sum((Counter(row[name]["classes"]) for row in rows), Counter[str]())
        lines.append(f"{name:>9}: " + ", ".join(f"{key} {count}" for key, count in sorted(total.items())))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="embedded")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42], help="of suite, base, classifiers and parties")
    parser.add_argument("--training-seeds", type=int, nargs="*", default=[], help="on each base (default: its seed)")
    parser.add_argument("--students", nargs="+", default=["small", "base"])
    parser.add_argument("--split", choices=["validation", "test"], default="validation")
    parser.add_argument("--whole", action="store_true", help="repair all items, as the paper does")
    parser.add_argument("--jobs", type=int, default=1, help="worlds at a time; each uses one core")
    parser.add_argument("--work", type=Path, help="keep models here and reuse what is there (default: temporary)")
    parser.add_argument("--json", type=Path, help="write all numbers here")
    arguments = parser.parse_args()
    print(line(None), flush=True)
    with tempfile.TemporaryDirectory(prefix="dart-seeds-") as scratch:
        work = arguments.work or Path(scratch)
        with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
            futures = [pool.submit(one_world, seed, arguments, work) for seed in arguments.seeds]
            rows = [row for future in futures for row in future.result()]
    for slot in arguments.students:
        chosen = [row for row in rows if row["student"] == slot]
        print(f"\n{slot}, {len(chosen)} runs, {arguments.split}\n{summary(chosen)}")
        print(f"CPU seconds per run: {statistics.mean(sum(row['cpu_s'].values()) for row in chosen):.0f}")
    if arguments.json:
        write_json(arguments.json, rows, digits=4)


if __name__ == "__main__":
    main()
