"""Stage `answer_training@S`: base and distilled answer the training items, where a recipe of repair reads that.

Not in the paper, which repairs and reports on the same prompts. Recipes that audit what is rehearsed need base's
answers to compare with; self-rehearsal needs the student's own.
"""

from __future__ import annotations

from pathlib import Path

from dart.core import layout
from dart.core.distributed import is_main_process, replacing_on_main_process
from dart.core.files import read_jsonl, write_json, write_jsonl
from dart.core.records import Item
from dart.core.result_cache import result_cache
from dart.core.schema.method import Recipes
from dart.harm.classifier import Classifier, score_generations
from dart.student.stored_answers import generate_once
from stages.answers import AnsweringParams
from stages.recipes import recipes_of
from stages.training import RepairRecipe


class Params(AnsweringParams):
    recipe: RepairRecipe
    recipes: Recipes


def run(student: str) -> None:
    params = Params.load("answer_training", student=student)
    chosen = recipes_of(student, params.recipe, params.recipes)
    adapters: dict[str, Path | None] = {}
    if any(recipe.audits_rationales or recipe.audits_own_answers for recipe in chosen.values()):
        adapters["base"] = None
    if any(recipe.audits_own_answers for recipe in chosen.values()):
        adapters |= {layout.seed_name(seed): layout.adapter(student, "distilled", seed) for seed in params.seeds}
    with replacing_on_main_process(layout.training_answers(student)) as folder:
        if is_main_process():
            write_json(folder / "variants.json", sorted(adapters))  # so that the folder is there where nothing is read
        if adapters:
            _answer(params, student, adapters, folder)


def _answer(params: Params, student: str, adapters: dict[str, Path | None], folder: Path) -> None:
    items = read_jsonl(layout.split("train"), Item)
    with result_cache("answer_training", student) as results:
        answers = generate_once(
            results, layout.base(student), params.student, adapters, items, params.generation, params.seed
        )
        classifier = Classifier.load(layout.SCORERS / "toxicity", params.scorers.toxicity)
        for name, generations in answers.items():
            scored = score_generations(generations, classifier)
            if is_main_process():
                variant = "base" if name == "base" else "distilled"
                write_jsonl(folder / f"{name}.jsonl", [a.model_copy(update={"variant": variant}) for a in scored])
