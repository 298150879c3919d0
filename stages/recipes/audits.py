"""Stage `recipe_audits@S`: every answer of the recipes is audited against base, under the two-sided screen."""

from __future__ import annotations

from dart.core import layout
from dart.core.files import read_jsonl, replacing, write_json, write_jsonl
from dart.core.records import Generation, Item
from dart.core.schema.method import Recipes
from dart.harm.audit import audit
from stages.audits import AuditParams, judge_client
from stages.clients import write_cost


class Params(AuditParams):
    recipes: Recipes


def run(student: str) -> None:
    stage = f"recipe_audits@{student}"
    params = Params.load("recipe_audits", student=student)
    protocol = params.audit.model_copy(update={"screen": "change"})
    answers, costs = layout.recipe_answers(student), []
    with replacing(layout.recipe_audits(student)) as folder:
        write_json(folder / "recipes.json", list(params.recipes.get(student, ())))
        for split in ("test", "validation") if (answers / "validation").is_dir() else ():
            items = read_jsonl(layout.split(split), Item)
            base = read_jsonl(
                layout.generations(student, "base", params.seeds[0])
                if split == "test"
                else answers / split / "base.jsonl",
                Generation,
            )
            files = {str(path.relative_to(answers)): path for path in sorted((answers / split).glob("*/*.jsonl"))}
            if split == "test":
                files |= {
                    f"test/{variant}/{path.name}": path
                    for variant in ("distilled", "repaired", "control")
                    for path in sorted(layout.seed_generations(student, variant).glob("*.jsonl"))
                }
            for name, path in files.items():
                candidate = read_jsonl(path, Generation)
                records, outcome = audit(
                    items, base, candidate, params.tau_delta, judge_client(stage, params), protocol, params.seed
                )
                outcome.require_complete(stage)
                write_jsonl(folder / name, records)
                costs.append(outcome.usage.cost)
    write_cost(stage, *costs)
