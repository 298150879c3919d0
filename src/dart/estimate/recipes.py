"""What recipes of repair will ask: audits and safe targets of what they rehearse, and audits of their answers.

Their texts do not exist beforehand, so numbers are assumed; once a stage has run, its own cost file says how many
questions it asks, and the cache how many of them are answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dart.core.params import Params, Profile
from dart.core.records import Item
from dart.estimate.assumptions import DRIFT_SHARE, SCREENED_SHARE
from dart.estimate.forecast import Line
from dart.repair.recipes import RECIPES

SPLITS = ("test", "validation")  # every answer of a recipe is audited on both
MAIN_PATH = ("distilled", "repaired", "control")  # audited beside the recipes, under their screen


class Estimates(Protocol):
    """What is needed of `dart.estimate.estimator.Estimator`."""

    settings: Params
    profile: Profile
    train: list[Item]
    test: list[Item]
    validation: list[Item]

    def assumed_audit(self, stage: str, items: Sequence[Item], share: float, times: int) -> Line: ...
    def assumed_targets(self, stage: str, items: Sequence[Item], share: float, times: int) -> Line: ...


def recipe_lines(estimates: Estimates, student: str) -> list[Line]:
    """The lines of one slot, in the order of recipes/dvc.yaml; none where it compares no recipes."""
    settings, seeds = estimates.settings, len(estimates.profile.seeds)
    names = settings.recipes.get(student, ())
    trained = [RECIPES[name] for name in (*names, settings.repair.recipe)]
    drift, screened = DRIFT_SHARE["distilled"], SCREENED_SHARE["distilled"]
    lines = []
    texts = int(any(recipe.audits_rationales for recipe in trained))
    own = 1 if estimates.profile.students[student].distilled is not None else seeds  # distilled students
    texts += own * any(recipe.audits_own_answers for recipe in trained)
    if texts:
        stage = f"audit_training@{student}"
        lines.append(estimates.assumed_audit(stage, estimates.train, screened, texts))
        lines.append(estimates.assumed_targets(stage, estimates.train, drift, texts))
    if "two_sided" in names:
        stage = f"recipe_pools@{student}"
        lines.append(estimates.assumed_audit(stage, estimates.test, screened, own))
        lines.append(estimates.assumed_targets(stage, estimates.test, drift, own))
    if names:
        items = [*estimates.test, *estimates.validation]
        variants = seeds * (len(names) + len(MAIN_PATH))
        lines.append(estimates.assumed_audit(f"recipe_audits@{student}", items, SCREENED_SHARE["repaired"], variants))
    return lines
