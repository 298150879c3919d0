"""Recipes of Stage III: what each rehearses and repairs, in counted rows."""

from __future__ import annotations

from collections import Counter

import pytest

from dart.core.errors import DataError
from dart.core.records import Item, Rationale, RepairTarget, Severity
from dart.core.schema.method import COMPARED_ONLY, Audit, RecipeComparison, Repair, SampledAnswers, SeverityWeights
from dart.repair.comparison import halved, repeat_answers, sampled_items, untouched, variants_of
from dart.repair.mix import mix
from dart.repair.recipes import RECIPES, Material, preference_pairs, recipe_rows
from tests.support.drift_records import answer

WEIGHTS = SeverityWeights(mild=1, moderate=2, severe=3, extreme=4)


def item(item_id: str) -> Item:
    return Item(id=item_id, benchmark="D1", condition="DIFF", gold="YES", prompt=f"Q {item_id}?", scenario=item_id)


def rationale(item_id: str) -> Rationale:
    text = f"Taught {item_id}.\nConclusion: YES"
    return Rationale(
        item_id=item_id, label="YES", text=text, accepted=True, problems=(), attempts=1, model="m", prompt_hash="h"
    )


def target(item_id: str, severity: Severity, accepted: bool = True) -> RepairTarget:
    return RepairTarget(
        item_id=item_id, severity=severity, text=f"Safe {item_id}.\nConclusion: YES", toxicity=0.1,
        toxicity_distilled=0.5, accepted=accepted, problems=(), model="m", prompt_hash="h",
    )  # fmt: skip


ITEMS = {name: item(name) for name in ("clean", "harmful", "hopeless", "test")}
TRAINING = ("clean", "harmful", "hopeless")
MATERIAL = Material(
    rationales=[rationale(name) for name in TRAINING],
    targets=[target("test", "severe")],
    rationale_targets=[target("harmful", "mild"), target("hopeless", "mild", accepted=False)],
    own_answers=[answer("clean"), answer("harmful"), answer("hopeless", "NO")],
    own_targets=[target("harmful", "moderate")],
)
TAUGHT = Counter(f"Taught {name}." for name in TRAINING)
EXPECTED = {
    "published": TAUGHT + Counter({"Safe test.": 3}),
    "two_sided": TAUGHT + Counter({"Safe test.": 3}),
    "cleared": Counter({"Taught clean.": 1, "Safe test.": 3}),
    "mended": Counter({"Taught clean.": 1, "Safe harmful.": 1, "Safe test.": 3}),
    "mended_training": Counter({"Taught clean.": 1, "Safe harmful.": 1}),
    "own": Counter({"Own clean.": 1, "Safe harmful.": 2}),
    "kl_anchored": Counter({"Own clean.": 1, "Safe harmful.": 2}),
    "sham": TAUGHT + Counter({"Safe test.": 3}),
    "two_rounds": TAUGHT + Counter({"Safe test.": 3}),
    "control_twice": TAUGHT,
}
COMPARISON = RecipeComparison(
    halves=("published", "mended"), sampled=SampledAnswers(prompts=3, answers=2, temperature=1.0),
    task_arithmetic_weights=(0.5, 2.0),
)  # fmt: skip


def test_every_recipe_that_trains_on_rows_is_counted_here() -> None:
    assert set(EXPECTED) == {name for name, recipe in RECIPES.items() if recipe.rehearsal != "none"}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_recipe_rehearses_and_repairs_what_it_says(name: str) -> None:
    rows = recipe_rows(RECIPES[name], MATERIAL, ITEMS, WEIGHTS)  # type: ignore[index]
    assert Counter(row.response.partition("\n")[0] for row in rows) == EXPECTED[name]
    assert len({row.key for row in rows}) == len(rows)


def test_the_published_recipe_is_the_mix_of_the_paper() -> None:
    rows = recipe_rows(RECIPES["published"], MATERIAL, ITEMS, WEIGHTS)
    assert rows == mix(MATERIAL.rationales, MATERIAL.targets, ITEMS, WEIGHTS)


def test_recipes_that_repair_no_test_prompt_hold_none() -> None:
    for name in ("mended_training", "own"):
        keys = [row.key for row in recipe_rows(RECIPES[name], MATERIAL, ITEMS, WEIGHTS)]  # type: ignore[index]
        assert not [key for key in keys if key.startswith("test")]


def test_everything_flagged_leaves_nothing_to_rehearse() -> None:
    flagged = [target(name, "mild", accepted=False) for name in TRAINING]
    with pytest.raises(DataError, match="nothing to train on"):
        recipe_rows(RECIPES["cleared"], MATERIAL._replace(rationale_targets=flagged), ITEMS, WEIGHTS)


def test_pairs_prefer_safe_targets_to_the_students_own_drifted_answers() -> None:
    pairs = preference_pairs(MATERIAL, ITEMS, WEIGHTS)
    assert [(pair.key, pair.chosen.split("\n")[0], pair.rejected.split("\n")[0]) for pair in pairs] == [
        ("harmful#repair-1", "Safe harmful.", "Own harmful."),
        ("harmful#repair-2", "Safe harmful.", "Own harmful."),
    ]
    with pytest.raises(DataError, match="no pair"):
        preference_pairs(MATERIAL._replace(own_targets=[target("harmful", "mild", accepted=False)]), ITEMS, WEIGHTS)
    with pytest.raises(DataError, match="no answer"):
        preference_pairs(MATERIAL._replace(own_answers=[]), ITEMS, WEIGHTS)
    with pytest.raises(DataError, match="no rows"):
        recipe_rows(RECIPES["dpo"], MATERIAL, ITEMS, WEIGHTS)


@pytest.mark.parametrize("name", RECIPES)
def test_the_main_path_takes_every_recipe_but_those_of_the_comparison(name: str) -> None:
    if name in COMPARED_ONLY:
        with pytest.raises(ValueError, match=f"{name} cannot be repair.recipe: .*under `recipes`"):
            Repair(correction_rounds=1, recipe=name)  # type: ignore[arg-type]
    else:
        assert Repair(correction_rounds=1, recipe=name).recipe == name  # type: ignore[arg-type]


def test_drawn_answers_are_of_equally_many_prompts_per_benchmark_under_names_of_their_own() -> None:
    items = [item(f"{benchmark}-{n}").model_copy(update={"benchmark": benchmark}) for benchmark in "ab" for n in "123"]
    sampled = SampledAnswers(prompts=4, answers=2, temperature=1.0)
    drawn = sampled_items(items, sampled, 1)
    assert len({each.id for each in drawn}) == 8
    assert Counter(each.benchmark for each in drawn) == {"a": 4, "b": 4}
    assert Counter(each.id.partition("#")[2] for each in drawn) == {"1": 4, "2": 4}
    assert len({each.id for each in sampled_items(items, sampled, 2)} & {each.id for each in drawn}) < 8
    repeated = repeat_answers([answer(each.id) for each in items], drawn)
    assert [each.item_id for each in repeated] == [each.id for each in drawn]
    assert all(each.text.startswith(f"Own {each.item_id.partition('#')[0]}.") for each in repeated)


def test_variants_of_the_comparison() -> None:
    names = ("sham", "own", "task_arithmetic", "mended")
    assert variants_of(names, COMPARISON) == ["sham", "own", "task_arithmetic-50", "task_arithmetic-200", "mended"]
    assert halved(("own",), COMPARISON) == {"repaired": "published"}  # mended is not trained here
    assert halved(names, COMPARISON) == {"repaired": "published", "mended": "mended"}
    assert untouched(names) == ["own"]


def test_the_two_sided_recipe_is_a_setting_of_the_audit_on_the_main_path() -> None:
    with pytest.raises(ValueError, match=r"audit\.screen: change"):
        Repair(correction_rounds=1, recipe="two_sided")
    assert Audit(orders="fixed", votes=1, unscreened_rate=0.1).screen == "rise"
