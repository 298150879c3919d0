"""What every stage that trains an adapter declares, and the rows of Stage III (Section 2.5)."""

from __future__ import annotations

import math
from typing import Annotated

from dart.core import layout
from dart.core.files import read_jsonl
from dart.core.params import FromProfile, StageParams
from dart.core.records import Item, Rationale, RepairTarget, TrainingRow
from dart.core.schema.method import Lora, SeverityWeights, Training
from dart.core.schema.profile import TrainedStudent
from dart.distill.rows import distillation_rows
from dart.repair.mix import mix


class TrainingParams(StageParams):
    seed: int
    lora: Lora
    training: Training
    student: Annotated[TrainedStudent, FromProfile("students.{student}", by_field=True)]


class Stage3Params(TrainingParams):
    severity_weights: SeverityWeights


def _items() -> dict[str, Item]:
    return {item.id: item for name in ("train", "test") for item in read_jsonl(layout.split(name), Item)}


def repair_rows(student: str, weights: SeverityWeights) -> list[TrainingRow]:
    """Distillation rows and weighted safe targets: the training set of Stage III."""
    rationales = read_jsonl(layout.RATIONALES, Rationale)
    return mix(rationales, read_jsonl(layout.targets(student), RepairTarget), _items(), weights)


def control_rows(
    student: str, weights: SeverityWeights, training: Training, spec: TrainedStudent
) -> tuple[list[TrainingRow], int]:
    """The distillation rows alone, and the number of optimiser steps that repair takes."""
    steps = spec.epochs_of("stage3", training) * math.ceil(len(repair_rows(student, weights)) / training.global_batch)
    return distillation_rows(read_jsonl(layout.RATIONALES, Rationale), _items()), steps
