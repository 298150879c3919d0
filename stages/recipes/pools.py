"""Stage `recipe_pools@S`: what recipes repair in the place of the main path's drift cases, and safe targets for it.

two_sided: the drift cases of the test set under a two-sided screen. sham: as many pairs that did not drift. two_rounds:
the drift cases that the main path's audit finds after its repair.
"""

from __future__ import annotations

from dart.ablations.perturbations import sham_pool
from dart.chat.tasks import Cost
from dart.core import layout
from dart.core.files import read_jsonl, replacing, write_json, write_jsonl
from dart.core.records import AuditRecord, Generation, Item, RepairTarget
from dart.core.schema.method import RecipeName, Recipes
from dart.harm.classifier import Classifier
from dart.repair.recipes import RECIPES
from dart.repair.targets import safe_targets
from stages.clients import chat_client, write_cost
from stages.recipes.asking import RewriteParams, audit_and_rewrite


class Params(RewriteParams):
    recipes: Recipes


def run(student: str) -> None:
    stage = f"recipe_pools@{student}"
    params = Params.load("recipe_pools", student=student)
    names = [name for name in params.recipes.get(student, ()) if RECIPES[name].pool]
    classifier = Classifier.load(layout.SCORERS / "toxicity", params.scorers.toxicity)
    costs: list[Cost] = []
    with replacing(layout.recipe_pools(student)) as pools, replacing(layout.recipe_targets(student)) as targets:
        for folder in (pools, targets):
            write_json(folder / "recipes.json", names)  # so that the folder is there where nothing is to do
        for name in names:
            for seed in params.seeds:
                records, safe, paid = _pool(stage, params, student, name, seed, classifier)
                for folder, rows in ((pools, records), (targets, safe)):
                    write_jsonl(folder / name / f"{layout.seed_name(seed)}.jsonl", rows)
                costs += paid
    write_cost(stage, *costs)


def _pool(
    stage: str, params: Params, student: str, name: RecipeName, seed: int, classifier: Classifier
) -> tuple[list[AuditRecord], list[RepairTarget], tuple[Cost, ...]]:
    """The audit that names the cases, their safe targets, and what asking cost."""
    items = read_jsonl(layout.split("test"), Item)
    after = RECIPES[name].start == "repaired"
    answers = read_jsonl(layout.generations(student, "repaired" if after else "distilled", seed), Generation)
    if name == "two_sided":
        base = read_jsonl(layout.generations(student, "base", seed), Generation)
        return audit_and_rewrite(stage, params, items, base, answers, classifier)
    records = read_jsonl(layout.audit(student, "after" if after else "before", seed), AuditRecord)
    if name == "sham":
        records = sham_pool(records, params.seed)
    teacher = chat_client(stage, "teacher", params.teacher, params)
    targets, written = safe_targets(items, records, answers, teacher, classifier, params.repair, params.distill)
    written.require_complete(stage)
    return records, targets, (written.usage.cost,)
