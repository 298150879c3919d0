"""Stage `repair@S` (Stage III, Section 2.5): continue the adapters on distillation and severity-weighted safe rows."""

from __future__ import annotations

from stages.training import Stage3Params, TrainingSet, recipe_set, train_seeds


class Params(Stage3Params):
    """As Stage I, how often a safe target of each severity is repeated, and the recipe."""


def run(student: str) -> None:
    params = Params.load("repair", student=student)

    def rows(seed: int) -> TrainingSet:
        return recipe_set(params.recipe, student, seed, params)

    train_seeds("repair", params, student, "repaired", rows, start="distilled")
