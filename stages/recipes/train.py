"""Stage `recipe_training@S`: Stage III under each recipe, on every training seed, and the answers that follow.

All start from an adapter of the main path and take as many steps as its repair and control. They answer the test set,
and the validation set, whose prompts no recipe repairs; so do distilled, repaired and control. To part of the
validation set each draws several answers, too, and some recipes are trained on each half of the test set's drift cases
and answer the other half.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from dart.ablations.perturbations import half_of
from dart.core import hub, layout
from dart.core.distributed import is_main_process, replacing_on_main_process
from dart.core.files import read_jsonl, write_json, write_jsonl
from dart.core.records import Generation, Item, RepairTarget
from dart.core.result_cache import ResultCache, copy_results, result_cache
from dart.core.schema.method import Lora, Objectives, RecipeComparison, RecipeName, Recipes, SeverityWeights, Training
from dart.core.seeds import seed_for
from dart.harm.classifier import Classifier, score_generations
from dart.repair.comparison import HALVES, halved, repeat_answers, weighted_variants
from dart.repair.recipes import RECIPES
from dart.student import adapter
from dart.student.generation import GenerationRequest, VariantRequests, inference_messages
from dart.student.stored_answers import answer_once, generate_once
from dart.student.task_arithmetic import combine_adapters
from stages.answers import AnsweringParams
from stages.recipes import MAIN_PATH, items_of, splits_of
from stages.training import RepairRecipe, recipe_set, repair_steps, train_once

OTHER_HALF = dict(zip(HALVES, reversed(HALVES), strict=True))
Adapters = Mapping[str, Path]  # by <variant>/<seed>


class Params(AnsweringParams):
    lora: Lora
    training: Training
    severity_weights: SeverityWeights
    recipe: RepairRecipe
    objectives: Objectives
    recipes: Recipes
    recipe_comparison: RecipeComparison


def run(student: str) -> None:
    params = Params.load("recipe_training", student=student)
    names = params.recipes.get(student, ())
    with result_cache("recipes.train", student) as results:
        adapters = {
            f"{variant}/{layout.seed_name(seed)}": path
            for name in names
            for seed in params.seeds
            for variant, path in _adapters(params, student, name, seed, results)
        }
        copy_results(adapters, layout.recipe_adapters(student))
        with replacing_on_main_process(layout.recipe_answers(student)) as folder:
            if is_main_process():
                write_json(folder / "recipes.json", list(names))  # so that the folder is there without any
            if names:
                classifier = Classifier.load(layout.SCORERS / "toxicity", params.scorers.toxicity)
                _answer_splits(params, student, adapters, results, folder, classifier)
                _answer_halves(params, student, results, folder, classifier)


def _adapters(
    params: Params, student: str, name: RecipeName, seed: int, results: ResultCache
) -> Iterator[tuple[str, Path]]:
    """(variant, adapter) of a recipe: one, or one per weight of task arithmetic."""
    if name != "task_arithmetic":
        yield name, _train(params, student, name, seed, results)
        return
    ends = [layout.adapter(student, variant, seed) for variant in ("distilled", "repaired")]
    for variant, weight in weighted_variants(params.recipe_comparison).items():
        combine = partial(combine_adapters, layout.base(student), params.student, ends[0], ends[1], weight)
        source = hub.resolve(adapter.base_of(ends[0], layout.base(student)))
        yield variant, results.result(combine, source, [adapter.fingerprint(end) for end in ends], weight)


def _train(
    params: Params, student: str, name: RecipeName, seed: int, results: ResultCache, half: frozenset[str] | None = None
) -> Path:
    """The adapter of a recipe.

    Args:
        half: ids of the test items whose drift cases are repaired; None: all.
    """
    recipe = RECIPES[name]
    file = layout.recipe_target_file(student, name, seed) if recipe.pool else layout.targets(student, seed)
    targets = [target for target in read_jsonl(file, RepairTarget) if half is None or target.item_id in half]
    chosen = recipe_set(name, student, seed, params, targets)._replace(steps=repair_steps(student, seed, params))
    return train_once(results, params, student, seed, chosen, layout.adapter(student, recipe.start, seed))


def _answer_splits(
    params: Params, student: str, trained: Adapters, results: ResultCache, folder: Path, classifier: Classifier
) -> None:
    """Answers to test and validation set, and those that are drawn."""
    main_path: dict[str, Path | None] = {
        f"{variant}/{layout.seed_name(seed)}": layout.adapter(student, variant, seed)
        for variant in MAIN_PATH
        for seed in params.seeds
    }
    base: list[Generation] = []
    for split in splits_of(params.recipe_comparison):
        if split == "halves":
            continue
        decoding, seed = params.generation, params.seed
        adapters = {"base": None, **main_path, **trained} if split == "validation" else {**main_path, **trained}
        if split == "test":
            adapters = {**trained}
        elif split == "sampled":
            temperature = params.recipe_comparison.sampled.temperature
            decoding = decoding.model_copy(update={"temperature": temperature, "top_p": 1.0})
            seed = seed_for(params.seed, "sampled answers")
        items = items_of(split, params.recipe_comparison, params.seed)
        answers = generate_once(results, layout.base(student), params.student, adapters, items, decoding, seed)
        scored = {name: score_generations(generations, classifier) for name, generations in answers.items()}
        base = scored.get("base", base)
        if split == "sampled":
            scored["base"] = repeat_answers(base, items)
        _write(scored, folder / split)


def _answer_halves(params: Params, student: str, results: ResultCache, folder: Path, classifier: Classifier) -> None:
    """Answers to the test set, each half by a repair of the other one."""
    names = halved(params.recipes[student], params.recipe_comparison)
    items = read_jsonl(layout.split("test"), Item)
    ids = {half: frozenset(half_of(items, half, params.seed)) for half in HALVES}
    requests = {
        f"{variant}/{layout.seed_name(seed)}/{half}": VariantRequests(
            _train(params, student, name, seed, results, ids[half]),
            [GenerationRequest(item, inference_messages(item)) for item in items if item.id in ids[OTHER_HALF[half]]],
        )
        for variant, name in names.items()
        for seed in params.seeds
        for half in HALVES
    }
    answers = answer_once(results, layout.base(student), params.student, requests, params.generation, params.seed)
    pooled: dict[str, list[Generation]] = {}
    for name, generations in answers.items():
        pooled.setdefault(name.rpartition("/")[0], []).extend(score_generations(generations, classifier))
    place = {item.id: index for index, item in enumerate(items)}
    ordered = {name: sorted(both, key=lambda answer: place[answer.item_id]) for name, both in pooled.items()}
    _write(ordered, folder / "halves")


def _write(answers: Mapping[str, Sequence[Generation]], folder: Path) -> None:
    if is_main_process():
        for name, generations in answers.items():
            write_jsonl(folder / f"{name}.jsonl", generations)
