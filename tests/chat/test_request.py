"""The identity of a request: everything that decides the answer, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from dart.chat.request import ENDPOINT_FIELDS_IN_KEY, ENDPOINT_FIELDS_LEFT_OUT, ChatRequest, build_request
from dart.core.schema.profile import Endpoint
from tests.support.fake_endpoint import endpoint

HELLO = [{"role": "user", "content": "hello"}]


def key(json_object: bool = False, repeat: int = 0, fingerprint: str | None = None, **changes: Any) -> str:
    return build_request(
        endpoint(**changes), HELLO, json_object=json_object, repeat=repeat, fingerprint=fingerprint
    ).key


CHANGED: dict[str, Any] = {
    "dialect": "together",
    "max_tokens_field": "max_completion_tokens",
    "extra_body": {"thinking": {"type": "disabled"}},
    "json_mode": "none",
    "seed_field": None,
    "complete_reasons": ("done",),
    "refusal_markers": ("not with me",),
    "fallback": endpoint(),
    "base_url": "https://elsewhere.example/v1",
    "model": "another",
    "api_key_env": "ANOTHER",
    "temperature": 0.3,
    "max_tokens": 65,
    "concurrency": 3,
    "requests_per_minute": 7,
    "top_p": 0.9,
    "tokens_per_minute": 8,
    "budget_usd": 1.0,
    "timeout_s": 1.0,
    "usd_per_million_prompt_tokens": 9.0,
    "usd_per_million_completion_tokens": 9.0,
}


def test_every_field_of_an_endpoint_is_classified() -> None:
    assert set(Endpoint.model_fields) == ENDPOINT_FIELDS_IN_KEY | ENDPOINT_FIELDS_LEFT_OUT, (
        "a field of Endpoint is new or gone: decide in dart/chat/request.py whether an answer depends on it"
    )
    assert not ENDPOINT_FIELDS_IN_KEY & ENDPOINT_FIELDS_LEFT_OUT


@pytest.mark.parametrize("field", sorted(Endpoint.model_fields))
def test_the_classification_is_what_the_key_does(field: str) -> None:
    question: dict[str, Any] = {"json_object": True, "repeat": 1}  # so that every field has something to decide
    changed = key(**question, **{field: CHANGED[field]}) != key(**question)
    assert changed == (field in ENDPOINT_FIELDS_IN_KEY)


def test_every_field_that_is_sent_is_in_the_key() -> None:
    request = build_request(endpoint(), HELLO, json_object=True, repeat=0, fingerprint=None)
    assert set(request.body) == {"model", "messages", "temperature", "max_tokens", "response_format"}
    for field in request.body:
        changed = request._replace(body={**request.body, field: "changed"})
        assert changed.key != request.key, field
    assert request._replace(body={**request.body, "top_p": 0.9}).key != request.key


def test_a_key_never_changes_by_accident() -> None:
    # golden: if this fails, every answer that anyone has paid for would be asked again
    assert key() == "151ec9c31b66bed047f18c186ad769fb1e8f5a0361e5629ef3d8e764ca75dd95"


def test_json_repeat_and_fingerprint_name_other_requests() -> None:
    keys = [key(), key(json_object=True), key(repeat=1), key(fingerprint="a"), key(fingerprint="b")]
    assert len(set(keys)) == len(keys)


def test_a_trailing_slash_is_the_same_address() -> None:
    assert key(base_url="https://host.example/v1/") == key(base_url="https://host.example/v1")


def test_a_correction_round_is_a_request_of_its_own() -> None:
    first = build_request(endpoint(), HELLO, json_object=False, repeat=0, fingerprint=None)
    second = first.with_messages({"role": "assistant", "content": "hm"}, {"role": "user", "content": "again"})
    assert second.key != first.key
    assert first.body["messages"] == HELLO


def test_any_text_has_a_key() -> None:
    assert len(ChatRequest("u", {"messages": "ü \ud800 \x00"}, 0, None).key) == 64
