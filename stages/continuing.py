"""What repair and its control have in common: the rows of Stage III, and how many steps they take."""

from __future__ import annotations

import math

from dart.records import Item, Rationale, RepairTarget, read_jsonl
from dart.repair.mix import distillation_rows, mix
from dart.settings.recipe import SeverityWeights, Training
from dart.student.rows import TrainingRow
from stages import paths


def _items() -> dict[str, Item]:
    return {item.id: item for split in ("train", "test") for item in read_jsonl(paths.SUITE / f"{split}.jsonl", Item)}


def repair_rows(student: str, weights: SeverityWeights) -> list[TrainingRow]:
    """Distillation rows and weighted safe targets: the training set of Stage III."""
    rationales = read_jsonl(paths.RATIONALES, Rationale)
    return mix(rationales, read_jsonl(paths.targets(student), RepairTarget), _items(), weights)


def control_rows(student: str, weights: SeverityWeights, training: Training) -> tuple[list[TrainingRow], int]:
    """The distillation rows alone, and the number of optimiser steps that repair takes."""
    steps = training.epochs * math.ceil(len(repair_rows(student, weights)) / training.global_batch)
    return distillation_rows(read_jsonl(paths.RATIONALES, Rationale), _items()), steps
