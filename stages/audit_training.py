"""Stage `audit_training@S`: what Stage III rehearses is audited against base, as the student is on the test set.

The classifier screens both ways, so that lost cautions are seen, the judge confirms, and the teacher writes safe
targets for what drifted: in its own rationales, or in the answers of the distilled student, as the recipes need it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dart.chat.tasks import Cost
from dart.core import layout
from dart.core.files import read_jsonl, replacing, write_json, write_jsonl
from dart.core.records import Generation, Item, Rationale
from dart.core.schema.method import Recipes
from dart.distill.rationales import as_generation
from dart.harm.classifier import Classifier, score_generations
from stages.clients import write_cost
from stages.recipes import recipes_of
from stages.recipes.asking import RewriteParams, audit_and_rewrite


class Params(RewriteParams):
    recipes: Recipes


def run(student: str) -> None:
    stage = f"audit_training@{student}"
    params = Params.load("audit_training", student=student)
    classifier = Classifier.load(layout.SCORERS / "toxicity", params.scorers.toxicity)
    costs: list[Cost] = []
    with replacing(layout.training_audits(student)) as audits, replacing(layout.training_targets(student)) as folder:
        texts = list(_texts(params, student, classifier))
        for out in (audits, folder):
            write_json(out / "texts.json", [name for name, *_ in texts])  # so that the folder is there without any
        base = {answer.item_id: answer for answer in _answers(student, "base")} if texts else {}
        for name, items, candidate in texts:
            records, targets, paid = audit_and_rewrite(
                stage, params, items, [base[item.id] for item in items], candidate, classifier
            )
            write_jsonl(audits / f"{name}.jsonl", records)
            write_jsonl(folder / layout.training_target_file(student, name).name, targets)
            costs.extend(paid)
    write_cost(stage, *costs)


def _texts(
    params: Params, student: str, classifier: Classifier
) -> Iterator[tuple[str, Sequence[Item], Sequence[Generation]]]:
    """(name, items, texts in the place of a candidate's answers) of everything that is audited."""
    chosen = recipes_of(student, params.repair.recipe, params.recipes).values()
    items = read_jsonl(layout.split("train"), Item)
    if any(recipe.audits_rationales for recipe in chosen):
        by_id = {item.id: item for item in items}
        accepted = [rationale for rationale in read_jsonl(layout.RATIONALES, Rationale) if rationale.accepted]
        scored = score_generations([as_generation(rationale) for rationale in accepted], classifier)
        yield layout.TRAINING_RATIONALES, [by_id[rationale.item_id] for rationale in accepted], scored
    if any(recipe.audits_own_answers for recipe in chosen):
        for seed in params.seeds:
            yield layout.seed_name(seed), items, _answers(student, layout.seed_name(seed))


def _answers(student: str, name: str) -> list[Generation]:
    return read_jsonl(layout.training_answers(student) / f"{name}.jsonl", Generation)
