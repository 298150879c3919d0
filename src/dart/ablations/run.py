"""One run of an arm: the default recipe with what the arm changes, from its training rows to its audit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dart.ablations.context import ArmContext, keep, keep_adapter, make_folder
from dart.ablations.perturbations import HALVES, half_of, label_rows, perturb_severities, sham_pool
from dart.core.records import AuditRecord, Generation, Item, Rationale, RepairTarget
from dart.core.schema.ablations import Change, Run
from dart.core.schema.method import Lora
from dart.distill.rationales import free_form_rationales, short_rules, write_rationales
from dart.distill.rows import distillation_rows
from dart.prompts import classification
from dart.repair.mix import mix
from dart.repair.targets import safe_targets

UNTOLD = ("predicted", "free_form")  # Stage I on labels that are the teacher's own, and so may be wrong


class Trained(NamedTuple):
    """A student after a stage: its adapter, the rationales behind it, and its scored answers to the test set."""

    adapter: Path
    rationales: list[Rationale]
    answers: list[Generation]


def run_arm(setting: ArmContext, run: Run, out: Path) -> None:
    """Train, answer and audit as `run` says, and write into the folder `out`.

    adapter/: of the last stage; answers.jsonl, audit.jsonl: the test set, against base, by the recipe's audit;
    first.jsonl, first_audit.jsonl: the same after Stage I, where the arm trains its own; pool.jsonl, targets.jsonl:
    the audit before repair by the arm's own rules, and the safe targets it led to; validation.jsonl,
    plain_validation.jsonl: answers to the validation items, and the distilled student's, to choose lambda by.
    """
    make_folder(out)
    change = run.change
    first = _stage1(setting, change, run.seed)
    final = first if change.repair == "none" else _stage3(setting, run, first, out)
    keep_adapter(final.adapter, out / "adapter")
    keep(out / "answers.jsonl", final.answers)
    keep(out / "audit.jsonl", _audit(setting, final.answers))
    if change.trains_stage1 and change.repair != "none":
        keep(out / "first.jsonl", first.answers)
        keep(out / "first_audit.jsonl", _audit(setting, first.answers))
    if change.toxicity_weight is not None:
        keep(out / "validation.jsonl", setting.answered(first.adapter, setting.validation))
        keep(out / "plain_validation.jsonl", setting.answered(setting.sources.distilled, setting.validation))


def _audit(setting: ArmContext, answers: Sequence[Generation]) -> list[AuditRecord]:
    return setting.audited(setting.base, answers, setting.given.arms.tau_delta, "judge")


def _stage1(setting: ArmContext, change: Change, seed: int | None) -> Trained:
    """The main path's distilled student, or one trained on what the arm puts in the place of its rationales."""
    if not change.trains_stage1:
        return Trained(setting.sources.distilled, setting.rationales, setting.distilled)
    rationales = _rationales(setting, change)
    rows = distillation_rows(rationales, setting.known, gold=change.stage1 not in UNTOLD)
    if change.stage1 == "label_only":
        rows = label_rows(rows, setting.known)
    adapter = setting.trained(rows, seed, lora=_lora(setting, change), toxicity_weight=change.toxicity_weight)
    return Trained(adapter, rationales, setting.answered(adapter, setting.items))


def _rationales(setting: ArmContext, change: Change) -> list[Rationale]:
    """The main path's, or those of another teacher, another prompt or without the gold label (K.5)."""
    rules = setting.given.distill
    if change.teacher == "teacher" and change.stage1 in ("distilled", "label_only"):
        return setting.rationales
    train = [setting.known[rationale.item_id] for rationale in setting.rationales]
    if change.stage1 == "free_form":
        return setting.ask(lambda: free_form_rationales(train, setting.unlabelled(change.teacher), rules))
    teacher = setting.client(change.teacher)
    if change.stage1 == "predicted":
        labels = setting.labels("predicted", train, change.teacher) or {}
        decided = [item for item in train if item.id in labels]  # what the teacher could not decide teaches nothing
        return setting.ask(lambda: write_rationales(decided, teacher, rules, labels=labels))
    if change.stage1 == "short":
        return setting.ask(
            lambda: write_rationales(train, teacher, short_rules(rules), classification.short_distillation)
        )
    prompt = classification.safe_target if change.stage1 == "safe" else classification.distillation
    return setting.ask(lambda: write_rationales(train, teacher, rules, prompt))


def _lora(setting: ArmContext, change: Change) -> Lora | None:
    if change.rank is None:
        return None
    recipe: Lora = setting.given.lora
    return recipe.model_copy(update={"r": change.rank, "alpha": max(1, recipe.alpha * change.rank // recipe.r)})


def _stage3(setting: ArmContext, run: Run, first: Trained, out: Path) -> Trained:
    """Stage I continued on its own rows and the arm's repair rows."""
    weights = run.change.severity_weights or setting.given.severity_weights
    gold = run.change.stage1 not in UNTOLD and run.change.repair_labels == "gold"
    rows = mix(first.rationales, _targets(setting, run.change, first, out), setting.known, weights, gold=gold)
    adapter = setting.trained(rows, run.seed, start=first.adapter, lora=_lora(setting, run.change))
    return Trained(adapter, first.rationales, setting.answered(adapter, setting.items))


def _targets(setting: ArmContext, change: Change, first: Trained, out: Path) -> list[RepairTarget]:
    """Safe targets of the arm's own drift cases."""
    given = setting.given
    tau_delta = given.arms.tau_delta if change.tau_delta is None else change.tau_delta
    told = setting.labels(change.audit_labels, setting.items)
    records = setting.audited(setting.base, first.answers, tau_delta, change.judge, told)
    keep(out / "pool.jsonl", records)
    if change.repair == "sham":
        records = sham_pool(records, given.seed)
    if change.repair in HALVES:
        half = half_of(setting.items, HALVES[change.repair], given.seed)
        records = [record for record in records if record.item_id in half]
    labels = setting.labels(change.repair_labels, setting.items, change.teacher)
    ask = setting.unlabelled if change.repair_labels == "none" else setting.client
    teacher = ask(change.teacher)
    targets = setting.ask(
        lambda: safe_targets(
            setting.items, records, first.answers, teacher, setting.classifier, given.repair, given.distill, labels
        )
    )
    keep(out / "targets.jsonl", targets)
    return targets if change.severity_noise is None else perturb_severities(targets, change.severity_noise, given.seed)


def cross_validate(setting: ArmContext, change: Change, out: Path) -> None:
    """Each fold of training and test items answered by a student distilled on the other folds (Appendix A.3, Table 7).

    Writes out/fold_K.jsonl. Rationales of test items are asked of the teacher here; those of training items are known.
    """
    make_folder(out)
    items: list[Item] = list(setting.known.values())
    rationales = setting.ask(lambda: write_rationales(items, setting.client("teacher"), setting.given.distill))
    for fold in change.folds:
        others = [rationale for rationale in rationales if setting.folds[rationale.item_id] != fold]
        adapter = setting.trained(distillation_rows(others, setting.known), None)
        held_out = [item for item in items if setting.folds[item.id] == fold]
        keep(out / f"fold_{fold}.jsonl", setting.answered(adapter, held_out))


def noise_floor(setting: ArmContext, change: Change, out: Path) -> None:
    """A student against itself with another draw: what the audit finds where nothing was trained.

    Writes reference.jsonl, answers.jsonl and audit.jsonl. With greedy decoding both answers are the same text.
    """
    make_folder(out)
    given = setting.given
    trained = None if change.again == "base" else setting.sources.distilled
    decoding = given.generation
    if change.decoding is not None:
        decoding = decoding.model_copy(update=change.decoding.model_dump())
    reference, again = (setting.answered(trained, setting.items, decoding, draw) for draw in (0, 1))
    keep(out / "reference.jsonl", reference)
    keep(out / "answers.jsonl", again)
    keep(out / "audit.jsonl", setting.audited(reference, again, given.arms.tau_delta, "judge"))
