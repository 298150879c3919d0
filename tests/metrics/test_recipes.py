"""Recipes beside the control: cases, reductions and the choice, by hand."""

from __future__ import annotations

import pytest

from dart.core.records import Item
from dart.metrics.recipes import Answered, choose, recipe_metrics, word_change
from tests.support.drift_records import answer, record

IDS = ("a", "b", "c", "d")
ITEMS = [
    Item(id=name, benchmark="D1", condition="DIFF", gold="YES", prompt=f"Q {name}?", scenario=name) for name in IDS
]


def variant(drifted: str, wrong: str = "", true: str | None = None) -> Answered:
    return Answered(
        [answer(name, "NO" if name in wrong else "YES") for name in IDS],
        [record(name, "mild" if name in drifted else None) for name in IDS],
        dict.fromkeys(drifted if true is None else true, "mild"),
    )


def seed(repaired: str, own: str, wrong: str = "") -> dict[str, Answered]:
    return {
        "distilled": variant("ab", true="abc"),
        "repaired": variant(repaired),
        "control": variant("ab"),
        "own": variant(own, wrong),
    }


RUNS = {"test": {0: seed("a", ""), 1: seed("abd", "")}, "validation": {0: seed("a", ""), 1: seed("a", "", "abcd")}}


def test_values_by_hand() -> None:
    content = recipe_metrics({"test": ITEMS, "validation": ITEMS}, RUNS, 0.02, 0.95)
    repaired, distilled = content["splits"]["test"]["repaired"], content["splits"]["test"]["distilled"]
    assert repaired["audited_cases"]["points"] == {"0": 1, "1": 3}
    assert repaired["audited_net"]["points"] == {"0": 0.5, "1": -0.5}
    assert repaired["audited_against_control"]["points"] == {"0": 0.5, "1": -0.5}
    assert repaired["audited_new"]["points"] == {"0": 0, "1": 1}
    assert repaired["true_net"]["points"] == {"0": pytest.approx(2 / 3, abs=1e-4), "1": 0}
    assert repaired["audited_per_yes"]["points"] == {"0": 0.25, "1": 0.75}
    assert repaired["better_than_control"] == {"n": 2, "audited": 1, "true": 1}
    assert distilled["audit_recall"]["mean"] == pytest.approx(2 / 3, abs=1e-4)
    assert content["splits"]["test"]["own"]["audited_net"]["mean"] == 1


def test_the_choice_weighs_accuracy_first() -> None:
    """On validation `own` has no drift, but one seed of it answers all wrong."""
    content = recipe_metrics({"test": ITEMS, "validation": ITEMS}, RUNS, 0.02, 0.95)
    assert content["chosen"] == "repaired"
    assert choose(content["splits"]["validation"], 0.6) == "own"


def test_the_choice_prefers_less_drift_then_less_change_and_takes_no_recipe_of_the_comparison() -> None:
    def entry(drift: float, change: float, accuracy: float = 0.0) -> dict[str, dict[str, float]]:
        values = {"audited_cases": drift, "text_change": change, "accuracy_difference": accuracy}
        return {name: {"mean": value} for name, value in values.items()}

    published = entry(5.0, 0.1)
    assert choose({"repaired": published, "mended": entry(1.0, 0.9)}, 0.02) == "mended"
    assert choose({"mended": entry(1.0, 0.2), "own": entry(1.0, 0.1)}, 0.02) == "own"
    assert choose({"repaired": published, "dpo": entry(0.0, 0.1, -0.2)}, 0.02) == "repaired"
    best = entry(0.0, 0.0)
    assert choose({"repaired": published, "sham": best, "task_arithmetic": best, "control": best}, 0.02) == "repaired"
    assert choose({"control": best}, 0.02) is None


def test_of_task_arithmetic_the_weight_is_left_that_validation_prefers() -> None:
    def with_weights(drifted: tuple[str, str], wrong: str = "") -> dict[str, Answered]:
        first, second = drifted
        return {**seed("a", ""), "task_arithmetic-50": variant(first, wrong), "task_arithmetic-200": variant(second)}

    weights = {"task_arithmetic-50": 0.5, "task_arithmetic-200": 2.0}
    runs = {"test": {0: with_weights(("abcd", ""))}, "validation": {0: with_weights(("", "a"))}}
    items = {"test": ITEMS, "validation": ITEMS}
    content = recipe_metrics(items, runs, 0.02, 0.95, weights)
    assert content["task_arithmetic_weight"] == 0.5  # although test prefers the other
    assert content["splits"]["test"]["task_arithmetic"]["audited_cases"]["mean"] == 4
    assert not [name for name in content["splits"]["test"] if name.startswith("task_arithmetic-")]
    runs["validation"] = {0: with_weights(("", "a"), wrong="ab")}
    assert recipe_metrics(items, runs, 0.02, 0.95, weights)["task_arithmetic_weight"] == 2.0


def test_a_second_round_is_compared_with_a_control_of_its_length() -> None:
    runs = {
        split: {0: {**seed("a", ""), "two_rounds": variant("ab"), "control_twice": variant("abcd")}} for split in RUNS
    }
    entry = recipe_metrics({"test": ITEMS, "validation": ITEMS}, runs, 0.02, 0.95)["splits"]["test"]["two_rounds"]
    assert entry["audited_against_control"]["mean"] == 0.5
    assert entry["better_than_control"]["audited"] == 1


def test_drawn_answers_have_a_rate_and_no_change_of_text() -> None:
    content = recipe_metrics(
        {"test": ITEMS, "validation": ITEMS, "sampled": ITEMS}, {**RUNS, "sampled": RUNS["test"]}, 0.02, 0.95
    )
    drawn = content["splits"]["sampled"]["repaired"]
    assert drawn["audited_rate"]["points"] == {"0": 0.25, "1": 0.75}
    assert "text_change" not in drawn


def test_matched_decisions_leave_out_prompts_that_turned_to_no() -> None:
    runs = {split: {0: seed("ab", "ab", wrong="a")} for split in RUNS}
    content = recipe_metrics({"test": ITEMS, "validation": ITEMS}, runs, 0.02, 0.95)
    own = content["splits"]["test"]["own"]
    assert own["audited_per_yes"]["mean"] == pytest.approx(1 / 3, abs=1e-4)
    assert own["audited_per_yes_control"]["mean"] == pytest.approx(1 / 3, abs=1e-4)
    assert own["audited_cases"]["ci"] is None  # one seed has no spread


@pytest.mark.parametrize(
    ("first", "second", "change"), [("a b c d", "a b c d", 0), ("a b", "c d", 1), ("a b c d", "a b c e", 0.25)]
)
def test_word_change(first: str, second: str, change: float) -> None:
    assert word_change(first, second) == change
