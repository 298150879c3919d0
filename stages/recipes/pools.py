"""Stage `recipe_pools@S`: the drift cases of the test set that a two-sided screen finds, and their safe targets."""

from __future__ import annotations

from dart.chat.tasks import Cost
from dart.core import layout
from dart.core.files import read_jsonl, replacing, write_json, write_jsonl
from dart.core.records import Generation, Item
from dart.core.schema.method import Recipes
from dart.harm.classifier import Classifier
from stages.clients import write_cost
from stages.recipes.asking import RewriteParams, audit_and_rewrite


class Params(RewriteParams):
    recipes: Recipes


def run(student: str) -> None:
    stage = f"recipe_pools@{student}"
    params = Params.load("recipe_pools", student=student)
    seeds = params.seeds if "two_sided" in params.recipes.get(student, ()) else ()
    items = read_jsonl(layout.split("test"), Item)
    classifier = Classifier.load(layout.SCORERS / "toxicity", params.scorers.toxicity)
    costs: list[Cost] = []
    with replacing(layout.recipe_pools(student)) as pools, replacing(layout.recipe_targets(student)) as targets:
        for folder in (pools, targets):
            write_json(folder / "seeds.json", list(seeds))  # so that the folder is there where nothing is to do
        for seed in seeds:
            base, distilled = (
                read_jsonl(layout.generations(student, variant, seed), Generation) for variant in ("base", "distilled")
            )
            records, safe, paid = audit_and_rewrite(stage, params, items, base, distilled, classifier)
            write_jsonl(pools / f"{layout.seed_name(seed)}.jsonl", records)
            write_jsonl(targets / f"{layout.seed_name(seed)}.jsonl", safe)
            costs += paid
    write_cost(stage, *costs)
