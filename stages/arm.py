"""Stage `arm@NAME` of ablations/dvc.yaml: one alternative to the default recipe, from its training rows to its audit.

One process for train, generate, score and audit. What an arm has in common with the main path it takes from there:
base and distilled with their answers, and the distilled adapter unless Stage I differs. Its own audit asks nothing
new where threshold and judge are the default's, because answers are cached. Stage `arms` compares them.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from dart import params, prompts
from dart.arms.altered import HALVES, half_of, label_rows, noised, sham
from dart.chat import Cost
from dart.distill.rationales import write_rationales
from dart.harm.audit import audit
from dart.harm.classifier import Classifier, score_generations
from dart.records import (
    AuditRecord,
    Generation,
    Item,
    Rationale,
    RepairTarget,
    read_jsonl,
    write_json,
    write_jsonl,
)
from dart.repair.mix import distillation_rows, mix
from dart.repair.targets import safe_targets
from dart.settings.variants import Variant
from dart.student.generation import generate
from dart.student.sharing import leads, led, replaced_together
from dart.student.train import train_adapter
from stages import paths
from stages.asking import client_for, total


class Shared(NamedTuple):
    """What the arm takes from the main path."""

    given: params.StageParams
    student: str
    variant: Variant
    items: list[Item]  # the test set
    known: dict[str, Item]  # training and test items by id
    base: list[Generation]
    distilled: list[Generation]
    classifier: Classifier
    costs: list[Cost]

    def audited(self, answers: list[Generation], tau_delta: float, judge: str) -> list[AuditRecord]:
        """`answers` against base."""
        given = self.given
        records, outcome = led(
            lambda: audit(self.items, self.base, answers, tau_delta, client_for(given, judge), given.audit, given.seed)
        )
        outcome.require_complete(given.stage)
        self.costs.append(outcome.usage.cost)
        return records

    def answered(self, adapter: Path) -> list[Generation]:
        """The test set answered with `adapter`, decoded and scored as on the main path."""
        given, student = self.given, self.student
        found = generate(
            paths.base(student), given.student(student), {"arm": adapter}, self.items, given.generation, given.seed
        )
        return score_generations(found["arm"], self.classifier)


def run(name: str) -> None:
    given = params.load(f"ablations/dvc.yaml:arm@{name}")
    student, variant = given.arms.student, given.variant(name)
    items = read_jsonl(paths.SUITE / "test.jsonl", Item)
    shared = Shared(
        given,
        student,
        variant,
        items,
        {item.id: item for item in (*read_jsonl(paths.SUITE / "train.jsonl", Item), *items)},
        read_jsonl(paths.generations(student, "base"), Generation),
        read_jsonl(paths.generations(student, "distilled"), Generation),
        Classifier.load(paths.SCORERS / "toxicity", given.world("scorers")["toxicity"]),
        [],
    )
    with replaced_together(paths.arm(name)) as home:
        if leads():
            home.mkdir()
        first = _stage1(shared, home / "stage1")
        final = first if variant.repair == "none" else _stage3(shared, first, home / "stage3")
        records = shared.audited(final.answers, given.arms.tau_delta, "judge")
        if leads():
            write_jsonl(home / "answers.jsonl", final.answers)
            write_jsonl(home / "audit.jsonl", records)
            write_json(home / "cost.json", total(*shared.costs), digits=6)


class Trained(NamedTuple):
    """A student after a stage: its adapter, what that was trained on, and its scored answers to the test set."""

    adapter: Path
    rationales: list[Rationale]
    answers: list[Generation]


def _stage1(shared: Shared, out: Path) -> Trained:
    """The main path's distilled student, or one trained on what the variant puts in the place of its rationales."""
    given, student, variant = shared.given, shared.student, shared.variant
    rationales = read_jsonl(paths.RATIONALES, Rationale)
    if variant.stage1 == "distilled":
        return Trained(paths.adapter(student, "distilled"), rationales, shared.distilled)
    if variant.stage1 == "safe":
        train = [shared.known[rationale.item_id] for rationale in rationales]
        rationales, outcome = led(
            lambda: write_rationales(train, client_for(given, "teacher"), given.distill, prompts.safe_target)
        )
        outcome.require_complete(given.stage)
        shared.costs.append(outcome.usage.cost)
    rows = distillation_rows(rationales, shared.known)
    if variant.stage1 == "label_only":
        rows = label_rows(rows, shared.known)
    train_adapter(paths.base(student), given.student(student), rows, given.lora, given.training, given.seed, out=out)
    return Trained(out, rationales, shared.answered(out))


def _stage3(shared: Shared, first: Trained, out: Path) -> Trained:
    """Stage I continued on its own rows and the variant's repair rows."""
    given, student, variant = shared.given, shared.student, shared.variant
    weights = variant.severity_weights or given.severity_weights
    rows = mix(first.rationales, _targets(shared, first.answers), shared.known, weights)
    seed = given.seed if variant.seed is None else variant.seed
    train_adapter(
        paths.base(student), given.student(student), rows, given.lora, given.training, seed, out=out,
        start_from=first.adapter,
    )  # fmt: skip
    return Trained(out, first.rationales, shared.answered(out))


def _targets(shared: Shared, answers: list[Generation]) -> list[RepairTarget]:
    """Safe targets of the arm's own drift cases among `answers`."""
    given, variant = shared.given, shared.variant
    tau_delta = given.arms.tau_delta if variant.tau_delta is None else variant.tau_delta
    records = shared.audited(answers, tau_delta, variant.judge)
    if variant.repair == "sham":
        records = sham(records, given.seed)
    if variant.repair in HALVES:
        half = half_of(shared.items, HALVES[variant.repair], given.seed)
        records = [record for record in records if record.item_id in half]
    targets, outcome = led(
        lambda: safe_targets(
            shared.items, records, answers, client_for(given, "teacher"), shared.classifier, given.repair, given.distill
        )
    )
    outcome.require_complete(given.stage)
    shared.costs.append(outcome.usage.cost)
    return targets if variant.severity_noise is None else noised(targets, variant.severity_noise, given.seed)
