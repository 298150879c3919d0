"""Stages of recipes/dvc.yaml: `python -m stages recipes.NAME` runs one of them.

Recipes of Stage III beside the published one, each trained for as many steps, on every training seed of the main path.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dart.core import layout
from dart.core.schema.method import RecipeName, Recipes
from dart.repair.recipes import RECIPES, Recipe

SPLITS = ("test", "validation")  # no recipe repairs a prompt of the validation set
MAIN_PATH = ("distilled", "repaired", "control")


def recipes_of(student: str, main_path: RecipeName, compared: Recipes) -> dict[str, Recipe]:
    """The recipes whose training sets a slot needs: those that are compared, and the main path's."""
    return {name: RECIPES[name] for name in (*compared.get(student, ()), main_path)}


def answer_files(
    student: str, split: str, recipes: Sequence[RecipeName], seeds: Sequence[int]
) -> dict[tuple[str, int | None], Path]:
    """The answers to a split by (variant, training seed); base has no seed."""
    own = layout.recipe_answers(student) / split
    files: dict[tuple[str, int | None], Path] = {("base", None): own / "base.jsonl"}
    if split == "test":
        files = {("base", None): layout.generations(student, "base", seeds[0])}
    for seed in seeds:
        for variant in (*MAIN_PATH, *recipes):
            file = own / variant / f"{layout.seed_name(seed)}.jsonl"
            if split == "test" and variant in MAIN_PATH:
                file = layout.generations(student, variant, seed)
            files[variant, seed] = file
    return files
