"""Stages of recipes/dvc.yaml: `python -m stages recipes.NAME` runs one of them.

Recipes of Stage III beside the published one, each trained for as many steps, on every training seed of the main path.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dart.core import layout
from dart.core.files import read_jsonl
from dart.core.records import Item
from dart.core.schema.method import RecipeComparison, RecipeName, Recipes
from dart.repair.comparison import halved, sampled_items, untouched, variants_of
from dart.repair.recipes import RECIPES, Recipe

MAIN_PATH = ("distilled", "repaired", "control")


def recipes_of(student: str, main_path: RecipeName, compared: Recipes) -> dict[str, Recipe]:
    """The recipes whose training sets a slot needs: those that are compared, and the main path's."""
    return {name: RECIPES[name] for name in (*compared.get(student, ()), main_path)}


def splits_of(comparison: RecipeComparison) -> list[str]:
    """What the recipes are compared on.

    test and validation: greedy answers; no recipe repairs a prompt of the validation set. sampled: answers drawn to
    prompts of the validation set. halves: test prompts, answered by a repair of the other half.
    """
    optional = {"sampled": comparison.sampled.prompts > 0, "halves": bool(comparison.halves)}
    return ["test", "validation", *(name for name, wanted in optional.items() if wanted)]


def items_of(split: str, comparison: RecipeComparison, seed: int) -> list[Item]:
    """The items of one of `splits_of`."""
    if split == "sampled":
        return sampled_items(read_jsonl(layout.split("validation"), Item), comparison.sampled, seed)
    return read_jsonl(layout.split("test" if split == "halves" else split), Item)


def answer_files(
    student: str, split: str, recipes: Sequence[RecipeName], seeds: Sequence[int], comparison: RecipeComparison
) -> dict[tuple[str, int | None], Path]:
    """The answers to a split by (variant, training seed); base has no seed."""
    own = layout.recipe_answers(student)
    on_test = split in ("test", "halves")
    base = layout.generations(student, "base", seeds[0]) if on_test else own / split / "base.jsonl"
    folders = {variant: own / split / variant for variant in (*MAIN_PATH, *variants_of(recipes, comparison))}
    if on_test:
        folders |= {variant: layout.seed_generations(student, variant) for variant in MAIN_PATH}
    if split == "halves":
        folders = {
            **{variant: folders[variant] for variant in ("distilled", "control")},
            **{variant: own / "halves" / variant for variant in halved(recipes, comparison)},
            **{variant: own / "test" / variant for variant in untouched(recipes)},
        }
    files: dict[tuple[str, int | None], Path] = {("base", None): base}
    for seed in seeds:
        files |= {(variant, seed): folder / f"{layout.seed_name(seed)}.jsonl" for variant, folder in folders.items()}
    return files
