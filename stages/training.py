"""What every stage that trains adapters declares, one adapter per training seed, and the rows of Stage III (2.5)."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple, Protocol

from dart.core import hub, layout
from dart.core.files import read_jsonl
from dart.core.params import FromProfile, StageParams, TrainingSeeds
from dart.core.records import Item, Rationale, RepairTarget, TrainingRow
from dart.core.result_cache import copy_results, result_cache
from dart.core.schema.method import Lora, SeverityWeights, Training
from dart.core.schema.profile import TrainedStudent
from dart.distill.rows import distillation_rows
from dart.repair.mix import mix
from dart.student import adapter
from dart.student.train import train_adapter


class TrainingParams(StageParams):
    seeds: TrainingSeeds
    lora: Lora
    training: Training
    student: Annotated[TrainedStudent, FromProfile("students.{student}", by_field=True)]


class Stage3Params(TrainingParams):
    severity_weights: SeverityWeights


class TrainingSet(NamedTuple):
    """What one adapter is trained on."""

    rows: list[TrainingRow]
    steps: int | None = None  # optimiser steps; None: `training.epochs`


class _Recipe(Protocol):
    """What is common to the parameters of stages that train."""

    @property
    def seeds(self) -> tuple[int, ...]: ...
    @property
    def lora(self) -> Lora: ...
    @property
    def training(self) -> Training: ...
    @property
    def student(self) -> TrainedStudent: ...


def train_seeds(
    script: str,
    params: _Recipe,
    student: str,
    variant: str,
    data: Callable[[int], TrainingSet],
    start: str | None = None,
) -> None:
    """Train the adapters of a variant, one per training seed, and write them.

    Args:
        script: of the stage, e.g. train.
        data: what the adapter of a seed is trained on.
        start: the variant that is continued, seed by seed; None: a new adapter.
    """
    adapters = {}
    with result_cache(script, f"{student}/adapters") as cache:
        for seed in params.seeds:
            chosen = data(seed)
            start_from = layout.adapter(student, start, seed) if start else None

            def train(
                out: Path, seed: int = seed, chosen: TrainingSet = chosen, start_from: Path | None = start_from
            ) -> None:
                train_adapter(
                    layout.base(student),
                    params.student,
                    chosen.rows,
                    params.lora,
                    params.training,
                    seed,
                    out,
                    start_from=start_from,
                    steps=chosen.steps,
                )

            adapters[layout.seed_name(seed)] = cache.result(
                train,
                hub.resolve(layout.base(student)),
                params.student.model_dump(),
                [row.model_dump() for row in chosen.rows],
                params.lora.model_dump(),
                params.training.model_dump(),
                seed,
                adapter.fingerprint(start_from) if start_from else None,
                chosen.steps,
            )
        copy_results(adapters, layout.adapters(student, variant))


def _items() -> dict[str, Item]:
    return {item.id: item for name in ("train", "test") for item in read_jsonl(layout.split(name), Item)}


def stage1_rows() -> list[TrainingRow]:
    """The accepted rationales: the training set of Stage I, for all students and seeds."""
    return distillation_rows(read_jsonl(layout.RATIONALES, Rationale), _items())


def repair_rows(student: str, seed: int, weights: SeverityWeights) -> list[TrainingRow]:
    """Distillation rows and weighted safe targets: the training set of Stage III."""
    rationales = read_jsonl(layout.RATIONALES, Rationale)
    return mix(rationales, read_jsonl(layout.targets(student, seed), RepairTarget), _items(), weights)


def control_rows(student: str, seed: int, weights: SeverityWeights, training: Training) -> TrainingSet:
    """The distillation rows alone, for as many optimiser steps as repair takes."""
    steps = training.epochs * math.ceil(len(repair_rows(student, seed, weights)) / training.global_batch)
    return TrainingSet(stage1_rows(), steps)
