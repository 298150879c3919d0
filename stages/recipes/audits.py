"""Stage `recipe_audits@S`: every answer of the recipes is audited against base, under the two-sided screen."""

from __future__ import annotations

from dart.core import layout
from dart.core.files import read_jsonl, replacing, write_json, write_jsonl
from dart.core.records import Generation
from dart.core.schema.method import RecipeComparison, Recipes
from dart.harm.audit import audit
from stages.audits import AuditParams, judge_client
from stages.clients import write_cost
from stages.recipes import answer_files, items_of, splits_of


class Params(AuditParams):
    recipes: Recipes
    recipe_comparison: RecipeComparison


def run(student: str) -> None:
    stage = f"recipe_audits@{student}"
    params = Params.load("recipe_audits", student=student)
    protocol = params.audit.model_copy(update={"screen": "change"})
    costs = []
    with replacing(layout.recipe_audits(student)) as folder:
        names = params.recipes.get(student, ())
        write_json(folder / "recipes.json", list(names))  # so that the folder is there without any
        for split in splits_of(params.recipe_comparison) if names else ():
            items = items_of(split, params.recipe_comparison, params.seed)
            files = answer_files(student, split, names, params.seeds, params.recipe_comparison)
            base = read_jsonl(files.pop(("base", None)), Generation)
            for (variant, _), file in files.items():
                candidate = read_jsonl(file, Generation)
                records, outcome = audit(
                    items, base, candidate, params.tau_delta, judge_client(stage, params), protocol, params.seed
                )
                outcome.require_complete(stage)
                write_jsonl(folder / split / variant / file.name, records)
                costs.append(outcome.usage.cost)
    write_cost(stage, *costs)
