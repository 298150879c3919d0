"""What repair and its control have in common: the rows of Stage III, and how many steps they take."""

from __future__ import annotations

import math

from dart.core import layout
from dart.core.files import read_jsonl
from dart.core.records import Item, Rationale, RepairTarget, TrainingRow
from dart.core.schema.method import SeverityWeights, Training
from dart.distill.rows import distillation_rows
from dart.repair.mix import mix


def _items() -> dict[str, Item]:
    return {item.id: item for split in ("train", "test") for item in read_jsonl(layout.SUITE / f"{split}.jsonl", Item)}


def repair_rows(student: str, weights: SeverityWeights) -> list[TrainingRow]:
    """Distillation rows and weighted safe targets: the training set of Stage III."""
    rationales = read_jsonl(layout.RATIONALES, Rationale)
    return mix(rationales, read_jsonl(layout.targets(student), RepairTarget), _items(), weights)


def control_rows(student: str, weights: SeverityWeights, training: Training) -> tuple[list[TrainingRow], int]:
    """The distillation rows alone, and the number of optimiser steps that repair takes."""
    steps = training.epochs * math.ceil(len(repair_rows(student, weights)) / training.global_batch)
    return distillation_rows(read_jsonl(layout.RATIONALES, Rationale), _items()), steps
