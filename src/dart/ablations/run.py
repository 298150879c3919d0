"""What the stages of an arm train and answer: its Stage I, its Stage III, folds, and a student against itself.

Nothing here asks a teacher or a judge: rationales and safe targets are read, answers are written.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from dart.ablations.context import ArmContext
from dart.ablations.perturbations import label_rows, perturb_severities
from dart.ablations.rationales import OWN_LABELS
from dart.core.distributed import is_main_process
from dart.core.files import write_jsonl
from dart.core.records import Item, Rationale, Record, RepairTarget
from dart.core.schema.ablations import Change, Run
from dart.core.schema.method import Lora, SeverityWeights
from dart.distill.rows import distillation_rows
from dart.repair.mix import mix


def train_stage1(
    context: ArmContext,
    run: Run,
    rationales: Sequence[Rationale],
    items: Mapping[str, Item],
    test: Sequence[Item],
    out: Path,
) -> Path:
    """Train Stage I of the arm and answer the test set; writes adapter/ and answers.jsonl into `out`.

    Args:
        items: training items by id; `test`: the test set.

    Returns:
        The adapter, where it was trained (in a folder that lives until the arm is written).
    """
    change = run.change
    rows = distillation_rows(rationales, items, gold=change.stage1 not in OWN_LABELS)
    if change.stage1 == "label_only":
        rows = label_rows(rows, items)
    lora = lora_of(context.lora, change)
    adapter = context.train(rows, lora=lora, toxicity_weight=change.toxicity_weight)
    copy_adapter(adapter, out / "adapter")
    write_records(out / "answers.jsonl", context.answers(adapter, test))
    return adapter


def train_stage3(
    context: ArmContext,
    run: Run,
    start: Path,
    rationales: Sequence[Rationale],
    targets: Sequence[RepairTarget],
    items: Mapping[str, Item],
    test: Sequence[Item],
    weights: SeverityWeights,
    out: Path,
) -> None:
    """Continue the adapter `start` on its own rows and the arm's repair rows; writes adapter/ and answers.jsonl.

    Args:
        weights: the recipe's severity weights, unless the arm has its own.
    """
    change = run.change
    if change.severity_noise is not None:
        targets = perturb_severities(targets, change.severity_noise, context.seed)
    gold = change.stage1 not in OWN_LABELS and change.repair_labels == "gold"
    rows = mix(rationales, targets, items, change.severity_weights or weights, gold=gold)
    adapter = context.train(rows, start=start, lora=lora_of(context.lora, change))
    copy_adapter(adapter, out / "adapter")
    write_records(out / "answers.jsonl", context.answers(adapter, test))


def cross_validate(
    context: ArmContext,
    change: Change,
    rationales: Sequence[Rationale],
    items: Mapping[str, Item],
    folds: Mapping[str, int],
    out: Path,
) -> None:
    """Each fold of training and test items answered by a student distilled on the other folds (A.3, Table 7).

    Writes fold_K.jsonl into `out`.

    Args:
        folds: fold of each item by id.
    """
    for fold in change.folds:
        others = [rationale for rationale in rationales if folds[rationale.item_id] != fold]
        adapter = context.train(distillation_rows(others, items))
        held_out = [item for item in items.values() if folds[item.id] == fold]
        write_records(out / f"fold_{fold}.jsonl", context.answers(adapter, held_out))


def noise_floor(context: ArmContext, change: Change, distilled: Path, test: Sequence[Item], out: Path) -> None:
    """A student against itself with another draw: what the audit finds where nothing was trained.

    Writes reference.jsonl and answers.jsonl into `out`. With greedy decoding both are the same texts.
    """
    adapter = None if change.again == "base" else distilled
    decoding = context.generation
    if change.decoding is not None:
        decoding = decoding.model_copy(update=change.decoding.model_dump())
    reference, again = (context.answers(adapter, test, decoding, draw) for draw in (0, 1))
    write_records(out / "reference.jsonl", reference)
    write_records(out / "answers.jsonl", again)


def lora_of(recipe: Lora, change: Change) -> Lora:
    """The recipe's LoRA, with the arm's rank and alpha in the same ratio to it."""
    if change.rank is None:
        return recipe
    return recipe.model_copy(update={"r": change.rank, "alpha": max(1, recipe.alpha * change.rank // recipe.r)})


def write_records(file: Path, records: Sequence[Record]) -> None:
    """Write a file of the arm's out; one process for all."""
    if is_main_process():
        write_jsonl(file, records)


def copy_adapter(trained: Path, out: Path) -> None:
    """Copy an adapter into the arm's out; one process for all."""
    if is_main_process():
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(trained, out)
