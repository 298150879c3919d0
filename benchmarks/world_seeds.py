"""How the embedded world behaves over seeds: the whole experiment per seed, in a temporary folder, as one table.

One run of the pipeline is one draw, and with nano students draws differ: this is where the README's ranges come from.
Tune nothing on `--split test`; the split exists for the final report.

    python benchmarks/world_seeds.py --profile embedded --seeds 0 1 2 3 4 --students small base --jobs 2 \
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
from collections.abc import Mapping, Sequence
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
from dart.core.records import SEVERITIES, AuditRecord, Generation, Item, TrainingRow
from dart.distill.rationales import write_rationales
from dart.distill.rows import distillation_rows
from dart.harm.audit import audit
from dart.harm.classifier import Classifier, score_generations
from dart.repair.mix import mix
from dart.repair.targets import safe_targets
from dart.simulation.classifier import train_classifier
from dart.simulation.sentences import marked_severities
from dart.simulation.student import train_student
from dart.simulation.suite import write_suite
from dart.simulation.transport import transport_for
from dart.simulation.truth import true_drift
from dart.stats.drift import cases, precision_recall
from dart.student.generation import generate
from dart.student.train import train_adapter
from dart.suite.sources import read_suite
from dart.suite.split import split_suite

WORDED_ALONE = frozenset({"N1", "N2"})  # decided by their wording (accuracy 1.00), so also reported without them
Row = dict[str, Any]


class World:
    """One seed of the experiment, in a folder; existing results are not repeated."""

    def __init__(self, settings: params.Params, profile: params.Profile, seed: int, split: str, folder: Path) -> None:
        self.settings, self.profile, self.seed, self.folder = settings, profile, seed, folder
        local = os.environ.get("DART_DATA_DIR")
        source = (
            write_suite(seed)
            if profile.suite.source == "embedded"
            else read_suite(profile.suite.source, Path(local) if local else None)
        )
        self.suite = split_suite(source.items, profile.suite, settings.split, seed)
        self.items: list[Item] = getattr(self.suite, split)
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
        spec, out = self.profile.scorers["toxicity"], self.folder / "toxicity"
        if not out.exists():
            self._timed("classifier", train_classifier, self.suite.outside, spec, "toxicity", self.seed, out)
        return Classifier.load(out, spec)

    def _timed(self, name: str, work: Any, *arguments: Any, **options: Any) -> Any:
        start = time.process_time()
        result = work(*arguments, **options)
        self.spent[name] = round(time.process_time() - start, 1)
        return result

    def student(self, slot: str) -> Row:
        """Base, distilled, repaired and control of one slot, and what the audits say."""
        self.spent = {}
        spec, home = self.profile.students[slot], self.folder / slot
        if not (home / "base").exists():
            self._timed("base", train_student, self.suite.outside, spec, self.seed, home / "base")
        rows = distillation_rows(self.rationales, {item.id: item for item in self.suite.train})
        self._train(slot, "distilled", rows)
        answers = self._answers(slot, {"base": None, "distilled": home / "distilled"})
        before = self._audit(answers, "distilled")
        targets, outcome = safe_targets(
            self.items, before, answers["distilled"], self.client("teacher"), self.classifier,
            self.settings.repair, self.settings.distill,
        )  # fmt: skip
        outcome.require_complete("targets")
        by_id = {item.id: item for item in (*self.suite.train, *self.items)}
        mixed = mix(self.rationales, targets, by_id, self.settings.severity_weights)
        steps = self.settings.training.epochs * math.ceil(len(mixed) / self.settings.training.global_batch)
        self._train(slot, "repaired", mixed, start_from=home / "distilled")
        self._train(slot, "control", rows, start_from=home / "distilled", steps=steps)
        answers |= self._answers(slot, {name: home / name for name in ("repaired", "control")})
        result: Row = {"seed": self.seed, "student": slot, "rows": len(rows), "repair_rows": len(mixed) - len(rows)}
        result |= {name: decision(self.items, texts) for name, texts in answers.items()}
        result["base"]["planted"] = sum(bool(marked_severities(answer.text)) for answer in answers["base"])
        truth = {name: true_drift(answers["base"], answers[name]) for name in ("distilled", "repaired", "control")}
        result["drift_rate"] = len(truth["distilled"]) / len(self.items)
        for name in ("repaired", "control"):
            result[name]["change"] = change(truth["distilled"], truth[name])
        audits = {"distilled": before} | {name: self._audit(answers, name) for name in ("repaired", "control")}
        for name, records in audits.items():
            result[name]["audit"] = agreement(records, truth[name])
        return result | {"cpu_s": self.spent}

    def _train(self, slot: str, name: str, rows: Sequence[TrainingRow], **options: Any) -> None:
        home, spec = self.folder / slot, self.profile.students[slot]
        if not (home / name).exists():
            self._timed(
                name, train_adapter, home / "base", spec, rows, self.settings.lora, self.settings.training, self.seed,
                home / name, **options,
            )  # fmt: skip

    def _answers(self, slot: str, adapters: Mapping[str, Path | None]) -> dict[str, list[Generation]]:
        name = "generate " + " ".join(adapters)
        decoding = self.settings.generation
        spec = self.profile.students[slot]
        texts = self._timed(
            name, generate, self.folder / slot / "base", spec, adapters, self.items, decoding, self.seed
        )
        return {variant: score_generations(answers, self.classifier) for variant, answers in texts.items()}

    def _audit(self, answers: Mapping[str, list[Generation]], name: str) -> list[AuditRecord]:
        client = self.client("judge")
        records, outcome = audit(
            self.items, answers["base"], answers[name], self.settings.tau_delta, client, self.settings.audit, self.seed
        )
        outcome.require_complete("audit")
        return records


def decision(items: Sequence[Item], answers: Sequence[Generation]) -> Row:
    """Decision quality as in Table 2; an unparsed answer is a wrong one."""
    right = [answer.prediction == item.gold for item, answer in zip(items, answers, strict=True)]
    parsed = [answer.prediction for answer in answers if answer.prediction is not None]

    def accuracy(selected: Sequence[bool]) -> float:
        chosen = [hit for hit, counts in zip(right, selected, strict=True) if counts]
        return sum(chosen) / len(chosen)

    return {
        "parse": len(parsed) / len(items),
        "yes": parsed.count("YES") / max(1, len(parsed)),
        "accuracy": accuracy([True] * len(items)),
        "DIFF": accuracy([item.condition == "DIFF" for item in items]),
        "EQUAL": accuracy([item.condition == "EQUAL" for item in items]),
        "without_n1_n2": accuracy([item.benchmark not in WORDED_ALONE for item in items]),
    }


def change(before: Mapping[str, str], after: Mapping[str, str]) -> Row:
    """True drift cases: gone (gross), new, and net as a share of those before; and counts by severity before."""
    gone, new = before.keys() - after.keys(), after.keys() - before.keys()
    counts = {name: Counter(before.values())[name] for name in SEVERITIES}
    left = Counter(severity for item, severity in before.items() if item in after)
    return {
        "before": len(before),
        "gross": len(gone),
        "new": len(new),
        "net_reduction": (len(gone) - len(new)) / len(before) if before else None,
        "by_severity": {
            name: {"before": counts[name], "left": left[name], "new": Counter(after[item] for item in new)[name]}
            for name in SEVERITIES
        },
    }


def agreement(records: Sequence[AuditRecord], truth: Mapping[str, str]) -> Row:
    """Precision and recall of the audit's drift cases against the truth."""
    drift_cases = cases(records)
    return {"found": len(drift_cases), "true": len(truth), **precision_recall(drift_cases, truth)._asdict()}


def one_seed(profile_name: str, seed: int, slots: Sequence[str], split: str, folder: Path) -> list[Row]:
    """All slots of one seed; runs in a process of its own."""
    logging.basicConfig(level=logging.WARNING, format=f"seed {seed}: %(message)s")
    settings, profile = read(profile_name)
    home = folder / f"{profile_name}-{split}-{seed}"
    home.mkdir(parents=True, exist_ok=True)
    world = World(settings, profile, seed, split, home)
    rows = []
    for slot in slots:
        rows.append(world.student(slot))
        print(line(rows[-1]), flush=True)
    return rows


def read(profile_name: str) -> tuple[params.Params, params.Profile]:
    """params.yaml and a profile, validated."""
    import yaml

    with (ROOT / "params.yaml").open(encoding="utf-8") as stream:
        settings = params.Params.model_validate(yaml.safe_load(stream))
    with (ROOT / "profiles" / f"{profile_name}.yaml").open(encoding="utf-8") as stream:
        return settings, params.Profile.model_validate(yaml.safe_load(stream))


COLUMNS = {
    "seed": "seed", "student": "student",
    "parse": "base.parse", "YES": "base.yes", "acc": "base.accuracy", "DIFF": "base.DIFF", "EQ": "base.EQUAL",
    "d.parse": "distilled.parse", "d.acc": "distilled.accuracy", "d.DIFF": "distilled.DIFF", "d.EQ": "distilled.EQUAL",
    "d.-N1N2": "distilled.without_n1_n2", "drift": "drift_rate",
    "prec": "distilled.audit.precision", "rec": "distilled.audit.recall",
    "r.acc": "repaired.accuracy", "r.gross": "repaired.change.gross", "r.new": "repaired.change.new",
    "r.net": "repaired.change.net_reduction",
    "c.acc": "control.accuracy", "c.gross": "control.change.gross", "c.new": "control.change.new",
    "c.net": "control.change.net_reduction",
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


def severities(rows: Sequence[Row]) -> str:
    """Pooled over rows: true drift cases before, of them left, and new, by severity."""
    lines = ["severity    before | repaired left  new | control left  new"]
    for name in SEVERITIES:
        pooled = {
            (variant, key): sum(row[variant]["change"]["by_severity"][name][key] for row in rows)
            for variant in ("repaired", "control")
            for key in ("before", "left", "new")
        }
        lines.append(
            f"{name:<10} {pooled['repaired', 'before']:>7} | {pooled['repaired', 'left']:>13} "
            f"{pooled['repaired', 'new']:>4} | {pooled['control', 'left']:>12} {pooled['control', 'new']:>4}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="embedded")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--students", nargs="+", default=["small", "base"])
    parser.add_argument("--split", choices=["validation", "test"], default="validation")
    parser.add_argument("--jobs", type=int, default=1, help="seeds at a time; each uses one core")
    parser.add_argument("--work", type=Path, help="keep models here and reuse what is there (default: temporary)")
    parser.add_argument("--json", type=Path, help="write all numbers here")
    arguments = parser.parse_args()
    print(line(None), flush=True)
    with tempfile.TemporaryDirectory(prefix="dart-seeds-") as scratch:
        work = arguments.work or Path(scratch)
        with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
            futures = [
                pool.submit(one_seed, arguments.profile, seed, arguments.students, arguments.split, work)
                for seed in arguments.seeds
            ]
            rows = [row for future in futures for row in future.result()]
    for slot in arguments.students:
        chosen = [row for row in rows if row["student"] == slot]
        print(f"\n{slot}, {len(chosen)} seeds, {arguments.split}\n{severities(chosen)}")
        print(f"CPU seconds per seed: {statistics.mean(sum(row['cpu_s'].values()) for row in chosen):.0f}")
    if arguments.json:
        write_json(arguments.json, rows, digits=4)


if __name__ == "__main__":
    main()
