"""What the teacher is asked for Stage I of an arm: another prompt, its own labels or none; and what an arm repairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dart.ablations.rationales import Parties, stage1_rationales, writes_rationales
from dart.ablations.repair_pools import audit_pool, pool_targets
from dart.core.params import Profile, check
from dart.core.records import Generation, Item
from dart.core.schema.ablations import Change
from dart.simulation.suite import write_suite
from stages.ablations.asking import JudgesParams, TeachersParams, parties

ROOT = Path(__file__).resolve().parents[2]
PARAMS = check(ROOT, profile="embedded")[0]


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return [raw.as_item() for raw in write_suite(7, 6).items]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, items: list[Item]) -> Parties:
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path))
    profile: Profile = check(ROOT, profile="embedded")[1]
    fields = {"seed": 42, "simulation": profile.simulation}
    teachers = TeachersParams.model_construct(**fields, teacher=profile.teacher, other_teachers=profile.other_teachers)
    judges = JudgesParams.model_construct(**fields, judge=profile.judge, second_judge=profile.second_judge)
    return parties("arm_pools", teachers, teachers.endpoints() | judges.endpoints(), items)


@pytest.mark.parametrize(
    ("change", "writes"),
    [
        ({"stage1": "label_only"}, False),
        ({"rank": 4}, False),
        ({"toxicity_weight": 0.1}, False),
        ({"tau_delta": 0.02}, False),
        ({"stage1": "safe"}, True),
        ({"teacher": "second_teacher"}, True),
        ({"folds": (0,)}, True),
    ],
)
def test_which_arms_need_rationales_of_their_own(change: dict[str, Any], writes: bool) -> None:
    assert writes_rationales(Change(**change)) == writes


@pytest.mark.parametrize("stage1", ["safe", "short", "predicted", "free_form"])
def test_another_prompt_gives_other_rationales_of_the_same_items(
    stage1: Any, items: list[Item], asked: Parties
) -> None:
    train = items[: len(items) // 2]
    plain = stage1_rationales(Change(teacher="second_teacher"), train, [], PARAMS.distill, asked)
    rationales = stage1_rationales(Change(stage1=stage1), train, [], PARAMS.distill, asked)
    assert [rationale.item_id for rationale in rationales] == [item.id for item in train]
    assert [rationale.text for rationale in rationales] != [rationale.text for rationale in plain]
    hashes, plain_hashes = ({rationale.prompt_hash for rationale in each} for each in (rationales, plain))
    assert hashes != plain_hashes
    if stage1 != "predicted":  # which tells the teacher's own label in the same prompt: where it is right, the same
        assert not hashes & plain_hashes
    assert len(asked.costs) == (3 if stage1 == "predicted" else 2)


def test_cross_validation_has_rationales_of_test_items_too(items: list[Item], asked: Parties) -> None:
    half = len(items) // 2
    rationales = stage1_rationales(Change(folds=(0, 1)), items[:half], items[half:], PARAMS.distill, asked)
    assert [rationale.item_id for rationale in rationales] == [item.id for item in items]


class Flat:
    """A classifier that finds every text equally harmless."""

    def score(self, texts: list[str]) -> list[float]:
        return [0.0] * len(texts)


def _answers(items: list[Item], toxicity: float) -> list[Generation]:
    return [
        Generation(item_id=item.id, variant="x", text="A. B.\nConclusion: YES", rationale="A. B.", prediction="YES",
                   new_tokens=1, model="m", revision="r", prompt_hash="p", toxicity=toxicity)
        for item in items
    ]  # fmt: skip


def test_the_threshold_of_an_arm_takes_the_place_of_the_common_one(items: list[Item], asked: Parties) -> None:
    base, answers = _answers(items, 0.1), _answers(items, 0.13)
    for change, screened in ((Change(), True), (Change(tau_delta=0.05), False)):
        pool = audit_pool(change, items, base, answers, 0.01, PARAMS.audit, 42, asked)
        assert {record.screened for record in pool} == {screened}


def test_one_half_is_repaired_where_the_arm_says_so(items: list[Item], asked: Parties) -> None:
    pool = audit_pool(Change(), items, _answers(items, 0.1), _answers(items, 0.5), 0.01, PARAMS.audit, 42, asked)
    cases = [record.model_copy(update={"severity": "mild"}) for record in pool]
    flat: Any = Flat()
    targets = {
        repair: pool_targets(
            Change(repair=repair), items, cases, _answers(items, 0.5), flat, PARAMS.repair, PARAMS.distill, 42, asked
        )
        for repair in ("targets", "first_half", "second_half")
    }
    ids = {repair: {target.item_id for target in each} for repair, each in targets.items()}
    assert ids["targets"] == {item.id for item in items}
    assert ids["first_half"] | ids["second_half"] == ids["targets"]
    assert not ids["first_half"] & ids["second_half"]
