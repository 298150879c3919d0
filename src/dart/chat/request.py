"""What a request is: a value, its canonical JSON, and the sha256 of that as its identity in the cache.

Here because a paid answer must be found again by everyone who asks the same thing (a re-run, another clone,
another threshold), and must never be found by someone who asks something else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dart.core.records import Record
from dart.core.schema.profile import Endpoint
from dart.prompts.messages import Message

SCHEME = 1  # raise it only if the meaning of an old answer changes: every cached answer is then asked again

# Every field of `Endpoint` stands in exactly one of these; a test fails for a new one that does not.
ENDPOINT_FIELDS_IN_KEY = frozenset(
    {
        "base_url", "model", "temperature", "top_p", "max_tokens", "max_tokens_field", "extra_body", "json_mode",
        "seed_field",
    }
)  # fmt: skip
ENDPOINT_FIELDS_LEFT_OUT = frozenset(
    {
        "dialect",  # a set of values of the other fields, which are in the key where they are sent
        "complete_reasons",  # they judge an answer, they do not make it
        "refusal_markers",  # they judge an answer, they do not make it
        "fallback",  # another endpoint, whose requests have keys of their own
        "api_key_env",  # who pays does not change the answer, and the key may appear nowhere
        "concurrency",  # how fast it is asked
        "requests_per_minute",  # how fast it is asked
        "tokens_per_minute",  # how fast it is asked
        "timeout_s",  # how long an answer may take; one that came is complete
        "usd_per_million_prompt_tokens",  # a price list
        "usd_per_million_completion_tokens",  # a price list
        "budget_usd",  # whether it is asked at all
    }
)


class ChatRequest(NamedTuple):
    """One question to one model, as a value.

    In the key, because the answer depends on it:
        base_url: two servers under one model name may hold two models (without a trailing slash);
        body: everything that is sent: model, messages, the limit of tokens under its name, temperature and top_p where
            they are set, the endpoint's extra_body, for JSON answers response_format, for repeats a seed, and what a
            task adds. A field added to the body later is in the key by construction; a field that is null is not sent
            and leaves old keys as they were;
        repeat: which of several independent answers to the same question this is (votes of a judge);
        fingerprint: code and settings of an in-process transport, whose answers they decide, or the weights behind a
            student's name; null for an endpoint on a network.

    Left out, because the answer does not depend on it: the API key and the name of its variable, concurrency,
    request and token rate, timeout, prices, budget (`ENDPOINT_FIELDS_LEFT_OUT`); the stage that asks and the key of
    its task (so that two stages share an answer); the check of the answer and the number of corrections (they judge
    an answer, they do not make it); the date (an answer never expires: a model that changes under one name is a new
    experiment).
    """

    base_url: str
    body: dict[str, Any]
    repeat: int
    fingerprint: str | None

    @property
    def key(self) -> str:
        """sha256 (hex) of the canonical JSON."""
        return hashlib.sha256(canonical_json({"scheme": SCHEME, **self._asdict()})).hexdigest()

    def with_messages(self, *messages: Message) -> ChatRequest:
        """The same request with `messages` added to its conversation; `self` stays as it is."""
        return self._replace(body={**self.body, "messages": [*self.body["messages"], *messages]})


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys, no spaces and ASCII only (a lone surrogate in a prompt stays representable)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def build_request(
    endpoint: Endpoint,
    messages: Sequence[Message],
    *,
    json_object: bool,
    repeat: int,
    fingerprint: str | None,
    extra_body: Mapping[str, Any] | None = None,
    schema: type[Record] | None = None,
) -> ChatRequest:
    """The request that sends `messages` to `endpoint`; the only place where a body is made.

    Args:
        json_object: the answer is JSON; what says so is the endpoint's `json_mode`.
        extra_body: fields of the body beside those of the OpenAI interface, as its SDK's parameter of this name.
        schema: of the JSON, for `json_mode: json_schema`; without one json_object is sent in its place.

    Raises:
        ValueError: `extra_body` has a field that the endpoint decides.
    """
    body: dict[str, Any] = {
        "model": endpoint.model,
        "messages": [dict(message) for message in messages],
        endpoint.max_tokens_field: endpoint.max_tokens,
        **endpoint.extra_body,
    }
    if endpoint.temperature is not None:
        body["temperature"] = endpoint.temperature
    if endpoint.top_p is not None:
        body["top_p"] = endpoint.top_p
    if repeat and endpoint.seed_field is not None:
        body[endpoint.seed_field] = repeat  # another answer also from a server that would repeat itself
    if json_object and endpoint.json_mode != "none":
        body["response_format"] = _response_format(endpoint.json_mode, schema)
    for field, value in (extra_body or {}).items():
        if field in body and field not in endpoint.extra_body:
            raise ValueError(f"{field} of a request is decided by its endpoint and cannot be set by a task")
        body[field] = value
    return ChatRequest(endpoint.base_url.rstrip("/"), body, repeat, fingerprint)


def max_completion_tokens(request: ChatRequest) -> int:
    """The limit of tokens that a request states, under whichever name."""
    body = request.body
    return int(body["max_tokens"] if "max_tokens" in body else body["max_completion_tokens"])


def _response_format(mode: str, schema: type[Record] | None) -> dict[str, Any]:
    """`response_format` of a question whose answer is JSON (platform.openai.com/docs/guides/structured-outputs)."""
    if mode == "json_object" or schema is None:
        return {"type": "json_object"}
    fields = schema.model_json_schema()  # of a Record: additionalProperties false, as `strict` requires
    fields["required"] = list(fields["properties"])
    return {"type": "json_schema", "json_schema": {"name": schema.__name__, "strict": True, "schema": fields}}
