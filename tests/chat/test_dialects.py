"""What the presets send, field by field, and what an endpoint cannot be told."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from dart.chat.request import build_request, max_completion_tokens
from dart.core.records import Judgement
from dart.core.schema.dialects import DIALECTS
from dart.core.schema.profile import Endpoint
from tests.support.fake_endpoint import endpoint

HELLO = [{"role": "user", "content": "hello"}]
REQUEST: dict[
    str, dict[str, Any]
] = {  # what a judge is sent in each dialect, beside model, messages and response_format
    "deepseek": {"max_tokens": 64, "temperature": 0.2, "thinking": {"type": "disabled"}},
    "openai": {"max_completion_tokens": 64, "reasoning_effort": "none"},
    "azure": {"max_completion_tokens": 64, "reasoning_effort": "none"},
    "together": {"max_tokens": 64, "temperature": 0.2},
    "anthropic": {"max_tokens": 64},
    "vllm": {"max_tokens": 64, "temperature": 0.2, "chat_template_kwargs": {"enable_thinking": False}},
    "transformers": {"max_tokens": 64, "temperature": 0.2},
}


def in_dialect(dialect: str) -> Endpoint:
    omitted = {name: None for name in ("temperature", "top_p") if name in DIALECTS[dialect]}
    return endpoint(dialect=dialect, **omitted)


def body(asked: Endpoint, repeat: int = 0) -> dict[str, Any]:
    request = build_request(asked, HELLO, json_object=True, repeat=repeat, fingerprint=None, schema=Judgement)
    assert max_completion_tokens(request) == 64
    return request.body


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_preset_sends_what_its_provider_takes(dialect: str) -> None:
    sent = body(in_dialect(dialect))
    form = sent.pop("response_format", {}).get("type")
    assert sent == {"model": "asked-model", "messages": HELLO, **REQUEST[dialect]}
    assert form == {"anthropic": None, "transformers": None, "deepseek": "json_object", "together": "json_object"}.get(
        dialect, "json_schema"
    )


def test_a_schema_is_strict_and_whole() -> None:
    form = body(in_dialect("openai"))["response_format"]["json_schema"]
    assert form["strict"] is True
    assert form["schema"]["additionalProperties"] is False
    assert set(form["schema"]["required"]) == set(form["schema"]["properties"]) == set(Judgement.model_fields)


def test_repeats_say_so_in_the_field_that_the_server_knows() -> None:
    assert body(endpoint(), repeat=2)["seed"] == 2
    assert body(endpoint(seed_field="random_seed"), repeat=2)["random_seed"] == 2
    assert not {"seed", "random_seed"} & body(in_dialect("anthropic"), repeat=2).keys()


def test_what_the_profile_states_takes_precedence_over_the_preset() -> None:
    asked = endpoint(dialect="deepseek", extra_body={"thinking": {"type": "enabled"}}, json_mode="none")
    assert body(asked)["thinking"] == {"type": "enabled"}
    assert "response_format" not in body(asked)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dialect": "deepsek"}, "dialect 'deepsek' is none of anthropic, azure"),
        ({"extra_body": {"max_tokens": 5}}, "extra_body has max_tokens"),
        ({"refusal_markers": ("no",)}, "fewer than 4 characters"),
        ({"complete_reasons": ()}, "at least 1 item"),
        ({"fallback": endpoint(fallback=endpoint())}, "no fallback of its own"),
        ({"json_mode": "xml"}, "json_mode"),
    ],
)
def test_an_endpoint_that_makes_no_sense_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        endpoint(**changes)
