"""Stage `recipe_training@S`: Stage III under each recipe, on every training seed, and the answers that follow.

All start from the distilled adapter of their seed and take as many steps as repair and control on the main path. They
answer the test set, and the validation set, whose prompts no recipe repairs; so do distilled, repaired and control.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dart.core import hub, layout
from dart.core.distributed import is_main_process, replacing_on_main_process
from dart.core.files import read_jsonl, write_json, write_jsonl
from dart.core.records import Item
from dart.core.result_cache import ResultCache, copy_results, result_cache
from dart.core.schema.method import Lora, RecipeName, Recipes, SeverityWeights, Training
from dart.harm.classifier import Classifier, score_generations
from dart.repair.recipes import RECIPES, recipe_rows
from dart.student import adapter
from dart.student.stored_answers import generate_once
from dart.student.train import train_adapter
from stages.answers import AnsweringParams
from stages.recipes import MAIN_PATH
from stages.training import RepairRecipe, control_rows, items_by_id, material_for


class Params(AnsweringParams):
    lora: Lora
    training: Training
    severity_weights: SeverityWeights
    recipe: RepairRecipe
    recipes: Recipes


def run(student: str) -> None:
    params = Params.load("recipe_training", student=student)
    names = params.recipes.get(student, ())
    with result_cache("recipes.train", student) as results:
        adapters = {
            f"{name}/{layout.seed_name(seed)}": _train(params, student, name, seed, results)
            for name in names
            for seed in params.seeds
        }
        copy_results(adapters, layout.recipe_adapters(student))
        with replacing_on_main_process(layout.recipe_answers(student)) as folder:
            if is_main_process():
                write_json(folder / "recipes.json", list(names))  # so that the folder is there without any
            if names:
                _answer(params, student, adapters, results, folder)


def _train(params: Params, student: str, name: RecipeName, seed: int, results: ResultCache) -> Path:
    recipe, start = RECIPES[name], layout.adapter(student, "distilled", seed)
    pool = layout.recipe_targets(student) / f"{layout.seed_name(seed)}.jsonl" if name == "two_sided" else None
    rows = recipe_rows(recipe, material_for(recipe, student, seed, pool), items_by_id(), params.severity_weights)
    steps = control_rows(student, seed, params).steps
    return results.result(
        lambda out: train_adapter(
            layout.base(student),
            params.student,
            rows,
            params.lora,
            params.training,
            seed,
            out,
            start_from=start,
            steps=steps,
        ),
        hub.resolve(layout.base(student)),
        params.student.model_dump(),
        [row.model_dump() for row in rows],
        params.lora.model_dump(),
        params.training.model_dump(),
        seed,
        adapter.fingerprint(start),
        steps,
    )


def _answer(params: Params, student: str, trained: Mapping[str, Path], results: ResultCache, folder: Path) -> None:
    main_path: dict[str, Path | None] = {
        f"{variant}/{layout.seed_name(seed)}": layout.adapter(student, variant, seed)
        for variant in MAIN_PATH
        for seed in params.seeds
    }
    classifier = Classifier.load(layout.SCORERS / "toxicity", params.scorers.toxicity)
    variants: dict[str, dict[str, Path | None]] = {
        "test": {**trained},
        "validation": {"base": None, **main_path, **trained},
    }
    for split, adapters in variants.items():
        items = read_jsonl(layout.split(split), Item)
        answers = generate_once(
            results, layout.base(student), params.student, adapters, items, params.generation, params.seed
        )
        for name, generations in answers.items():
            scored = score_generations(generations, classifier)
            if is_main_process():
                write_jsonl(folder / split / f"{name}.jsonl", scored)
