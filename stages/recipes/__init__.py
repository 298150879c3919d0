"""Stages of recipes/dvc.yaml: `python -m stages recipes.NAME` runs one of them.

Recipes of Stage III beside the published one, each trained for as many steps, on every training seed of the main path.
"""

from __future__ import annotations

from dart.core.schema.method import RecipeName, Recipes
from dart.repair.recipes import RECIPES, Recipe


def recipes_of(student: str, main_path: RecipeName, compared: Recipes) -> dict[str, Recipe]:
    """The recipes whose training sets a slot needs: those that are compared, and the main path's."""
    return {name: RECIPES[name] for name in (*compared.get(student, ()), main_path)}
