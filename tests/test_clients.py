"""Stages ask the parties of their profile: another teacher by name, and a simulated one with what it has to know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dart.core import params
from dart.core.errors import ChatError, ParameterError
from dart.core.records import Item
from dart.distill.labels import predict_labels
from dart.distill.rationales import free_form_rationales, write_rationales
from dart.simulation.suite import write_suite
from stages.clients import client_for

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> params.StageParams:
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path))
    settings, profile = params.check(ROOT, profile="embedded")
    declared: dict[str, Any] = {"seed": 42, "distill": {}, "teacher": {}, "world": {}}
    return params.StageParams("arm@x", settings, profile, {**declared, "other_teachers": {"second": {}, "third": {}}})


def items() -> list[Item]:
    return [raw.as_item() for raw in write_suite(7, 20).items]


def test_free_form_rationales_conclude_what_the_same_teacher_predicts(given: params.StageParams) -> None:
    client = client_for(given, "teacher", items())
    labels, _ = predict_labels(items(), client)
    rationales, _ = free_form_rationales(items(), client, given.distill)
    assert {rationale.item_id: rationale.label for rationale in rationales} == labels
    assert all(rationale.accepted for rationale in rationales)
    assert 0 < sum(labels[item.id] != item.gold for item in items()) < 0.25 * len(items())
    told, _ = write_rationales(items(), client, given.distill, labels=labels)
    assert [rationale.text for rationale in told] == [rationale.text for rationale in rationales]


def test_teachers_differ_as_their_profile_declares(given: params.StageParams) -> None:
    attempts = {}
    for party in ("teacher", "second_teacher", "third_teacher"):
        rationales, outcome = write_rationales(items(), client_for(given, party), given.distill)
        outcome.require_complete("arm")
        attempts[party] = sum(rationale.attempts for rationale in rationales)
    assert attempts["teacher"] == attempts["second_teacher"] == len(items())
    assert attempts["third_teacher"] > 1.05 * len(items()), "a share of its answers is malformed and asked again"


def test_a_simulated_teacher_without_knowledge_says_so(given: params.StageParams) -> None:
    with pytest.raises(ChatError, match="true label"):
        predict_labels(items()[:1], client_for(given, "teacher"))


def test_a_party_that_is_not_declared_is_not_asked(given: params.StageParams) -> None:
    with pytest.raises(ParameterError, match="does not declare it"):
        client_for(given, "second_judge")
