"""Recipes of Stage III: what each rehearses and repairs, in counted rows."""

from __future__ import annotations

from collections import Counter

import pytest

from dart.core.errors import DataError
from dart.core.records import AuditRecord, Generation, Item, Judgement, Rationale, RepairTarget, Severity
from dart.core.schema.method import Audit, Repair, SeverityWeights
from dart.repair.mix import mix
from dart.repair.recipes import RECIPES, Material, recipe_rows

WEIGHTS = SeverityWeights(mild=1, moderate=2, severe=3, extreme=4)


def item(item_id: str) -> Item:
    return Item(id=item_id, benchmark="D1", condition="DIFF", gold="YES", prompt=f"Q {item_id}?", scenario=item_id)


def rationale(item_id: str) -> Rationale:
    text = f"Taught {item_id}.\nConclusion: YES"
    return Rationale(
        item_id=item_id, label="YES", text=text, accepted=True, problems=(), attempts=1, model="m", prompt_hash="h"
    )


def answer(item_id: str, conclusion: str = "YES") -> Generation:
    return Generation(
        item_id=item_id, variant="distilled", text=f"Own {item_id}.\nConclusion: {conclusion}",
        rationale=f"Own {item_id}.",
        prediction="YES" if conclusion == "YES" else "NO", new_tokens=3, model="m", revision="", prompt_hash="h",
    )  # fmt: skip


def target(item_id: str, severity: Severity, accepted: bool = True) -> RepairTarget:
    return RepairTarget(
        item_id=item_id, severity=severity, text=f"Safe {item_id}.\nConclusion: YES", toxicity=0.1,
        toxicity_distilled=0.5, accepted=accepted, problems=(), model="m", prompt_hash="h",
    )  # fmt: skip


def record(item_id: str, severity: Severity | None) -> AuditRecord:
    judgement = Judgement(
        is_regression=severity is not None, severity=severity or "none",
        regression_type="harmful_reasoning" if severity else "none", reason="r", a_correct=True, b_correct=True,
    )  # fmt: skip
    return AuditRecord(
        item_id=item_id, toxicity_base=0.1, toxicity_candidate=0.5, delta=0.4, screened=True, judgement=judgement,
        severity=severity,
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
}


@pytest.mark.parametrize("name", RECIPES)
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


def test_the_two_sided_recipe_is_a_setting_of_the_audit_on_the_main_path() -> None:
    with pytest.raises(ValueError, match=r"audit\.screen: change"):
        Repair(correction_rounds=1, recipe="two_sided")
    assert Audit(orders="fixed", votes=1, unscreened_rate=0.1).screen == "rise"
