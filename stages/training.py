"""What every stage that trains adapters declares, one adapter per training seed, and the rows of Stage III (2.5)."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple, Protocol

from dart.core import hub, layout
from dart.core.files import read_jsonl
from dart.core.params import FromParams, FromProfile, StageParams, TrainingSeeds
from dart.core.records import Generation, Item, Rationale, RepairTarget, TrainingRow
from dart.core.result_cache import copy_results, result_cache
from dart.core.schema.method import Lora, RecipeName, SeverityWeights, Training
from dart.core.schema.profile import TrainedStudent
from dart.distill.rows import distillation_rows
from dart.repair.recipes import RECIPES, Material, Recipe, recipe_rows
from dart.student import adapter
from dart.student.train import train_adapter


class TrainingParams(StageParams):
    seeds: TrainingSeeds
    lora: Lora
    training: Training
    student: Annotated[TrainedStudent, FromProfile("students.{student}", by_field=True)]


RepairRecipe = Annotated[RecipeName, FromParams("repair.recipe")]


class Stage3Params(TrainingParams):
    severity_weights: SeverityWeights
    recipe: RepairRecipe


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


class _Stage3Recipe(_Recipe, Protocol):
    @property
    def severity_weights(self) -> SeverityWeights: ...
    @property
    def recipe(self) -> RecipeName: ...


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


def items_by_id() -> dict[str, Item]:
    return {item.id: item for name in ("train", "test") for item in read_jsonl(layout.split(name), Item)}


def stage1_rows() -> list[TrainingRow]:
    """The accepted rationales: the training set of Stage I, for all students and seeds."""
    return distillation_rows(read_jsonl(layout.RATIONALES, Rationale), items_by_id())


def material_for(recipe: Recipe, student: str, seed: int, targets: Path | None = None) -> Material:
    """What a recipe of repair chooses its rows from, read from the outs of the stages before.

    Args:
        targets: file of safe targets for test prompts; None: those of the main path.
    """
    rationales = read_jsonl(layout.RATIONALES, Rationale)
    material = Material(rationales, [])
    if recipe.repaired == "test":
        material = material._replace(targets=read_jsonl(targets or layout.targets(student, seed), RepairTarget))
    if recipe.audits_rationales:
        file = layout.training_target_file(student, layout.TRAINING_RATIONALES)
        material = material._replace(rationale_targets=read_jsonl(file, RepairTarget))
    if recipe.audits_own_answers:
        name = layout.seed_name(seed)
        material = material._replace(
            own_answers=read_jsonl(layout.training_answers(student) / f"{name}.jsonl", Generation),
            own_targets=read_jsonl(layout.training_target_file(student, name), RepairTarget),
        )
    return material


def repair_rows(student: str, seed: int, weights: SeverityWeights, recipe: RecipeName) -> list[TrainingRow]:
    """The training set of Stage III; as published: distillation rows and weighted safe targets."""
    chosen = RECIPES[recipe]
    return recipe_rows(chosen, material_for(chosen, student, seed), items_by_id(), weights)


def control_rows(student: str, seed: int, params: _Stage3Recipe) -> TrainingSet:
    """The distillation rows alone, for as many optimiser steps as repair takes."""
    epochs = params.student.epochs_of("stage3", params.training)
    rows = repair_rows(student, seed, params.severity_weights, params.recipe)
    return TrainingSet(stage1_rows(), epochs * math.ceil(len(rows) / params.training.global_batch))
