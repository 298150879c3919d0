"""HTTP without a network: `embedded://teacher` and `embedded://judge` answer in the OpenAI chat format.

`embedded://teacher/second` and `/third` are other teachers, with errors of their own.

The client asks them exactly as it asks a real endpoint, so nothing outside this package knows the difference.
`fingerprint` names the code and the declared errors that decide the answers; the client makes it part of each
request's identity, so that an answer of older code is never taken from the cache.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx

from dart.core.errors import DataError, ModelError, ParameterError
from dart.core.records import Label
from dart.core.schema.profile import Endpoint, SimulatedTeacher, Simulation
from dart.core.seeds import digest
from dart.prompts import judging, openended
from dart.prompts.messages import Message
from dart.simulation import judge, openended_judge, rules, sentences, teacher, truth

SCHEME = "embedded"
_PATH = "/chat/completions"

Answer = Callable[[Sequence[Message], str, int], str]  # (messages, model, repeat) -> text

# Source that decides a party's answers, beside this file.
_MODULES: dict[str, tuple[ModuleType, ...]] = {
    "teacher": (sentences, rules, teacher),
    "judge": (sentences, judge, openended_judge, truth, judging, openended),
}

# Paths behind the host, by party: "" is the party itself.
_NAMES: dict[str, tuple[str, ...]] = {"teacher": ("", "second", "third"), "judge": ("",)}


class EmbeddedTransport(httpx.AsyncBaseTransport):
    """Answers chat requests inside this process."""

    def __init__(self, answer: Answer, fingerprint: str) -> None:
        self._answer = answer
        self.fingerprint = fingerprint

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One chat completion, or a JSON error: 404 for another path, 400 for a request that cannot be answered."""
        if request.method != "POST" or not request.url.path.endswith(_PATH):
            return _error(404, f"{request.method} {request.url.path} is not POST {_PATH}")
        try:
            model, messages, repeat = _read(await request.aread())
            text = self._answer(messages, model, repeat)
        except DataError as error:
            return _error(400, str(error))
        return httpx.Response(200, json=_completion(model, messages, text))


def transport_for(
    endpoint: Endpoint, world: Simulation | None, seed: int, known: Mapping[str, Label] | None = None
) -> EmbeddedTransport | None:
    """The transport of an `embedded://` endpoint; None for any other, which httpx reaches by itself.

    Args:
        known: the true label by prompt: what a simulated teacher goes by (and errs from, at its declared rate) when
            a request tells it no label. No other party sees it.

    Raises:
        ModelError: there is no such embedded party.
        ParameterError: the profile does not declare how the simulated parties behave.
    """
    url = httpx.URL(endpoint.base_url)
    if url.scheme != SCHEME:
        return None
    party, name = url.host, url.path.strip("/")
    if name not in _NAMES.get(party, ()):
        raise ModelError(
            f"{endpoint.base_url} names no embedded party. Use {SCHEME}://teacher (or {SCHEME}://teacher/second, "
            f"/third) or {SCHEME}://judge."
        )
    if world is None:
        raise ParameterError(
            f"{endpoint.base_url} needs the section `world` of the profile: the declared errors of the simulated "
            "parties. Copy it from profiles/embedded.yaml."
        )
    if party == "teacher":
        settings = _teacher(world, name)
        person = teacher.Teacher(settings, seed, known or {}, name)
        knowledge = () if known is None else (sorted(known.items()),)
        return EmbeddedTransport(
            lambda messages, model, repeat: teacher.answer(messages, person),
            _fingerprint(party, settings.model_dump(), seed, name, *knowledge),
        )

    def judged(messages: Sequence[Message], model: str, repeat: int) -> str:
        if openended_judge.is_request(messages):
            return openended_judge.answer(messages, world.openended, seed, model)
        return judge.answer(messages, world.judge, seed, model, repeat)

    return EmbeddedTransport(
        judged, _fingerprint(party, {**world.judge.model_dump(), **world.openended.model_dump()}, seed)
    )


def _teacher(world: Simulation, name: str) -> SimulatedTeacher:
    others = world.other_teachers
    settings = {"": world.teacher, "second": others.second, "third": others.third}[name]
    if settings is None:
        raise ParameterError(
            f"{SCHEME}://teacher/{name} needs world.other_teachers.{name} of the profile: how this simulated teacher "
            "behaves. Copy it from profiles/embedded.yaml."
        )
    return settings


def _fingerprint(party: str, settings: dict[str, float], seed: int, *more: object) -> str:
    paths = [Path(__file__), *(Path(str(module.__file__)) for module in _MODULES[party])]
    sources = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    return digest(party, settings, seed, sources, *more)


def _read(body: bytes) -> tuple[str, list[Message], int]:
    """Model, messages and seed (0: none) of a request body; DataError if it is not in the OpenAI format."""
    try:
        value: Any = json.loads(body)
    except ValueError:  # UnicodeDecodeError is one
        raise DataError("the body is not JSON") from None
    if not isinstance(value, dict) or not isinstance(value.get("model"), str):
        raise DataError("the body needs a text 'model'")
    messages = value.get("messages")
    if not isinstance(messages, list) or not messages or not all(_is_message(message) for message in messages):
        raise DataError("the body needs a list 'messages' of {role, content}")
    repeat = value.get("seed", 0)
    if not isinstance(repeat, int):
        raise DataError("the body's 'seed' must be a whole number")
    said: list[Message] = [{"role": message["role"], "content": message["content"]} for message in messages]
    return value["model"], said, repeat


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("role", "content"))


def _completion(model: str, messages: Sequence[Message], text: str) -> dict[str, Any]:
    asked = sum(_tokens(message["content"]) for message in messages)
    answered = _tokens(text)
    return {
        "object": "chat.completion",
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered},
    }


def _tokens(text: str) -> int:
    """Words and marks: about what a tokenizer counts, so that estimates of cost have something to count."""
    return len(re.findall(r"\w+|[^\w\s]", text))


def _error(status: int, message: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": message, "type": "invalid_request_error", "code": status}})
