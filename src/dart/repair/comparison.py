"""What recipes of repair are compared on besides the greedy answers to the test and the validation set.

A greedy answer hides how near a student is to another one: the share of drift among answers that are drawn is its
expected drift. And the prompts of one half of the test set are untouched by a repair of the other half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dart.core.records import Generation, Item
from dart.core.schema.method import RecipeComparison, RecipeName, SampledAnswers
from dart.core.seeds import unit_interval
from dart.repair.recipes import RECIPES

HALVES = ("first", "second")


def sampled_items(items: Sequence[Item], sampled: SampledAnswers, seed: int) -> list[Item]:
    """`sampled.prompts` of the items, equally many per benchmark, each as often as it is answered.

    Copies have identifiers of their own, ``<item>#<n>``, so that each is drawn, scored and judged by itself.
    """
    by_benchmark: dict[str, list[Item]] = {}
    for item in sorted(items, key=lambda item: unit_interval(seed, "sampled prompts", item.id)):
        by_benchmark.setdefault(item.benchmark, []).append(item)
    groups = [group for _, group in sorted(by_benchmark.items())]
    ranked = [group[place] for place in range(len(items)) for group in groups if place < len(group)]
    drawn = {item.id for item in ranked[: sampled.prompts]}
    return [
        item.model_copy(update={"id": f"{item.id}#{n}"})
        for item in items
        if item.id in drawn
        for n in range(1, sampled.answers + 1)
    ]


def repeat_answers(answers: Sequence[Generation], items: Sequence[Item]) -> list[Generation]:
    """The answer to the original of each of `sampled_items`: what base says greedily stands beside every draw."""
    by_id = {answer.item_id: answer for answer in answers}
    return [by_id[item.id.rpartition("#")[0]].model_copy(update={"item_id": item.id}) for item in items]


def variants_of(names: Sequence[RecipeName], comparison: RecipeComparison) -> list[str]:
    """The adapters that recipes lead to: one each, and one per weight of task arithmetic."""
    variants: list[str] = []
    for name in names:
        variants += weighted_variants(comparison) if name == "task_arithmetic" else [name]
    return variants


def weighted_variants(comparison: RecipeComparison) -> dict[str, float]:
    """Weight by the name of the variant, which has it in per cent: PEFT accepts no full stop in a name."""
    return {f"task_arithmetic-{round(100 * weight)}": weight for weight in comparison.task_arithmetic_weights}


def halved(names: Sequence[RecipeName], comparison: RecipeComparison) -> Mapping[str, RecipeName]:
    """Recipes that are trained on each half, by variant; that of the published recipe is ``repaired``."""
    chosen = [name for name in comparison.halves if name == "published" or name in names]
    return {"repaired" if name == "published" else name: name for name in chosen}


def untouched(names: Sequence[RecipeName]) -> list[RecipeName]:
    """Recipes that repair no test prompt, so that the whole test set is untouched."""
    return [name for name in names if RECIPES[name].repaired != "test"]
