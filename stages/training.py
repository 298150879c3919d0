"""What every stage that trains adapters declares, one adapter per training seed, and the rows of Stage III (2.5)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple, Protocol

from dart.core import hub, layout
from dart.core.files import read_jsonl
from dart.core.params import FromParams, FromProfile, StageParams, TrainingSeeds
from dart.core.records import Generation, Item, PreferencePair, Rationale, RepairTarget, TrainingRow
from dart.core.result_cache import ResultCache, copy_results, result_cache
from dart.core.schema.method import Lora, Objectives, RecipeName, SeverityWeights, Training
from dart.core.schema.profile import TrainedStudent
from dart.distill.rows import distillation_rows
from dart.repair.mix import repair_copies
from dart.repair.recipes import RECIPES, Material, Objective, Recipe, preference_pairs, recipe_rows
from dart.student import adapter
from dart.student.kl_anchor import KLAnchor


class TrainingParams(StageParams):
    seeds: TrainingSeeds
    lora: Lora
    training: Training
    student: Annotated[TrainedStudent, FromProfile("students.{student}", by_field=True)]


RepairRecipe = Annotated[RecipeName, FromParams("repair.recipe")]


class Stage3Params(TrainingParams):
    severity_weights: SeverityWeights
    recipe: RepairRecipe
    objectives: Objectives


class TrainingSet(NamedTuple):
    """What one adapter is trained on, and by which objective."""

    rows: Sequence[TrainingRow]
    steps: int | None = None  # optimiser steps; None: `training.epochs`
    free: Sequence[TrainingRow] = ()  # those of `rows` that a KL anchor leaves alone
    pairs: Sequence[PreferencePair] = ()  # in the place of `rows`
    objective: Objective = "cross_entropy"
    strength: float = 0.0  # of another objective
    rate: float = 1.0  # share of the learning rate of Stage III, for pairs

    def identity(self) -> list[object]:
        """Everything here that decides the weights; plain training has no more than rows and steps."""
        identity: list[object] = [[row.model_dump() for row in self.rows], self.steps]
        if self.objective != "cross_entropy":
            extra = [[each.model_dump() for each in rows] for rows in (self.free, self.pairs)]
            identity += [self.objective, self.strength, self.rate, *extra]
        return identity


class TrainingSettings(Protocol):
    """What is common to the parameters of stages that train."""

    @property
    def seeds(self) -> tuple[int, ...]: ...
    @property
    def lora(self) -> Lora: ...
    @property
    def training(self) -> Training: ...
    @property
    def student(self) -> TrainedStudent: ...


class Stage3Settings(TrainingSettings, Protocol):
    @property
    def severity_weights(self) -> SeverityWeights: ...
    @property
    def recipe(self) -> RecipeName: ...
    @property
    def objectives(self) -> Objectives: ...


def train_seeds(
    script: str,
    params: TrainingSettings,
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
    with result_cache(script, f"{student}/adapters") as cache:
        adapters = {
            layout.seed_name(seed): train_once(
                cache, params, student, seed, data(seed), layout.adapter(student, start, seed) if start else None
            )
            for seed in params.seeds
        }
        copy_results(adapters, layout.adapters(student, variant))


def train_once(
    results: ResultCache, params: TrainingSettings, student: str, seed: int, chosen: TrainingSet, start: Path | None
) -> Path:
    """The adapter that `chosen` leads to from `start`, trained unless `results` holds it."""

    def train(out: Path) -> None:
        _train(params, student, seed, chosen, start, out)

    return results.result(
        train,
        hub.resolve(adapter.base_of(start, layout.base(student))),
        params.student.model_dump(),
        params.lora.model_dump(),
        params.training.model_dump(),
        seed,
        adapter.fingerprint(start) if start else None,
        *chosen.identity(),
    )


def _train(
    params: TrainingSettings, student: str, seed: int, chosen: TrainingSet, start: Path | None, out: Path
) -> None:
    base, spec, anchor = layout.base(student), params.student, None
    if start is not None and chosen.steps is not None and (chosen.objective == "dpo" or chosen.objective == "orpo"):
        # TRL takes seconds to import
        from dart.student.preference import train_preference

        slower = {"stage3_learning_rate": spec.learning_rate_of("stage3") * chosen.rate}
        train_preference(
            base, spec.model_copy(update=slower), chosen.pairs, params.lora, params.training, chosen.objective,
            chosen.strength, seed, out, start, chosen.steps,
        )  # fmt: skip
        return
    # stages that only answer read their parameters' types here, and the Trainer takes a second to import
    from dart.student.train import train_adapter

    if start is not None and chosen.objective == "kl":
        anchor = KLAnchor(chosen.strength, start, chosen.free, params.training.max_length)
    train_adapter(
        base, spec, chosen.rows, params.lora, params.training, seed, out, start_from=start, steps=chosen.steps,
        regulariser=anchor,
    )  # fmt: skip


def items_by_id() -> dict[str, Item]:
    return {item.id: item for name in ("train", "test") for item in read_jsonl(layout.split(name), Item)}


def stage1_rows() -> list[TrainingRow]:
    """The accepted rationales: the training set of Stage I, for all students and seeds."""
    return distillation_rows(read_jsonl(layout.RATIONALES, Rationale), items_by_id())


def material_for(recipe: Recipe, student: str, seed: int, targets: Sequence[RepairTarget] | None = None) -> Material:
    """What a recipe of repair chooses its rows from, read from the outs of the stages before.

    Args:
        targets: safe targets for test prompts; None: those of the main path.
    """
    rationales = read_jsonl(layout.RATIONALES, Rationale)
    material = Material(rationales, [])
    if recipe.repaired == "test":
        if targets is None:
            targets = read_jsonl(layout.targets(student, seed), RepairTarget)
        material = material._replace(targets=targets)
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


def recipe_set(
    name: RecipeName, student: str, seed: int, params: Stage3Settings, targets: Sequence[RepairTarget] | None = None
) -> TrainingSet:
    """The training set of Stage III under a recipe; as published: distillation rows and weighted safe targets.

    Args:
        targets: as for `material_for`.
    """
    recipe = RECIPES[name]
    material, items = material_for(recipe, student, seed, targets), items_by_id()
    if recipe.prefers:
        pairs = preference_pairs(material, items, params.severity_weights)
        steps = _steps(len(stage1_rows()) + len(pairs), params)
        strength = params.objectives.dpo_beta if recipe.objective == "dpo" else params.objectives.orpo_lambda
        rate = params.objectives.preference_rate
        return TrainingSet([], steps, pairs=pairs, objective=recipe.objective, strength=strength, rate=rate)
    rows = recipe_rows(recipe, material, items, params.severity_weights)
    if recipe.objective == "cross_entropy":
        return TrainingSet(rows)
    free = repair_copies(material.own_targets, items, params.severity_weights)
    return TrainingSet(rows, free=free, objective=recipe.objective, strength=params.objectives.kl_weight)


def repair_steps(student: str, seed: int, params: Stage3Settings) -> int:
    """Optimiser steps of Stage III on the main path, which its control and the compared recipes take as well."""
    chosen = recipe_set(params.recipe, student, seed, params)
    return chosen.steps or _steps(len(chosen.rows), params)


def control_rows(student: str, seed: int, params: Stage3Settings) -> TrainingSet:
    """The distillation rows alone, for as many optimiser steps as repair takes."""
    return TrainingSet(stage1_rows(), repair_steps(student, seed, params))


def _steps(n_rows: int, params: Stage3Settings) -> int:
    return params.student.epochs_of("stage3", params.training) * math.ceil(n_rows / params.training.global_batch)
