"""Stages ask the parties of their profile: another teacher by name, and a simulated one with what it has to know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from dart.chat.client import ChatClient
from dart.core.errors import ChatError, ParameterError
from dart.core.params import Profile, check
from dart.core.records import Item
from dart.distill.labels import predict_labels
from dart.distill.rationales import free_form_rationales, write_rationales
from dart.simulation.suite import write_suite
from stages.clients import AskingParams, chat_client

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path))
    return check(ROOT, profile="embedded")[1]


def client(profile: Profile, role: str, items: Sequence[Item] = ()) -> ChatClient:
    params = AskingParams.model_construct(seed=42, simulation=profile.simulation)
    return chat_client("arm_rationales", role, profile.endpoint(role), params, items)


RULES = check(ROOT, profile="embedded")[0].distill


def items() -> list[Item]:
    return [raw.as_item() for raw in write_suite(7, 20).items]


def test_free_form_rationales_conclude_what_the_same_teacher_predicts(profile: Profile) -> None:
    teacher = client(profile, "teacher", items())
    labels, _ = predict_labels(items(), teacher)
    rationales, _ = free_form_rationales(items(), teacher, RULES)
    assert {rationale.item_id: rationale.label for rationale in rationales} == labels
    assert all(rationale.accepted for rationale in rationales)
    assert profile.simulation is not None
    wrong = sum(labels[item.id] != item.gold for item in items()) / len(items())
    assert wrong == pytest.approx(profile.simulation.teacher.label_error, abs=0.06)  # .026 is a standard error
    told, _ = write_rationales(items(), teacher, RULES, labels=labels)
    assert [rationale.text for rationale in told] == [rationale.text for rationale in rationales]


def test_teachers_differ_as_their_profile_declares(profile: Profile) -> None:
    attempts = {}
    for role in ("teacher", "second_teacher", "third_teacher"):
        rationales, outcome = write_rationales(items(), client(profile, role), RULES)
        outcome.require_complete("arm")
        attempts[role] = sum(rationale.attempts for rationale in rationales)
    assert attempts["teacher"] == attempts["second_teacher"] == len(items())
    assert attempts["third_teacher"] > 1.05 * len(items()), "a share of its answers is malformed and asked again"


def test_a_simulated_teacher_without_knowledge_says_so(profile: Profile) -> None:
    with pytest.raises(ChatError, match="true label"):
        predict_labels(items()[:1], client(profile, "teacher"))


def test_a_role_that_the_profile_leaves_empty_is_named(profile: Profile) -> None:
    params = AskingParams.model_construct(seed=42, simulation=profile.simulation)
    with pytest.raises(ParameterError, match="asks the second judge, but the profile has none"):
        chat_client("judge_annotated", "second judge", None, params)
