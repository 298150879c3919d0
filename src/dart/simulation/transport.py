"""HTTP without a network: `embedded://teacher` and `embedded://judge` answer in the OpenAI chat format.

`embedded://teacher/second` and `/third` are other teachers, with errors of their own.

The client sends them the requests that it sends to a real endpoint, so that no code outside this package differs.
`fingerprint` is a hash of the code and the declared errors that decide the answers; the client makes it part of each
request's identity, so that an answer of older code is never read from the cache.
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

# Modules besides this one that decide the answers of an endpoint.
_MODULES: dict[str, tuple[ModuleType, ...]] = {
    "teacher": (sentences, rules, teacher),
    "judge": (sentences, judge, openended_judge, truth, judging, openended),
}

# Paths of the URL by host: "" is the main teacher or judge.
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
    endpoint: Endpoint, simulation: Simulation | None, seed: int, labels: Mapping[str, Label] | None = None
) -> EmbeddedTransport | None:
    """The transport of an `embedded://` endpoint; None for any other, which needs httpx's own.

    Args:
        labels: the true label by prompt, for a simulated teacher that gets a request without a label (it deviates
            from them at its declared rate). No other endpoint sees them.

    Raises:
        ModelError: there is no such embedded endpoint.
        ParameterError: the profile does not declare the behaviour of the simulated endpoint.
    """
    url = httpx.URL(endpoint.base_url)
    if url.scheme != SCHEME:
        return None
    host, name = url.host, url.path.strip("/")
    if name not in _NAMES.get(host, ()):
        raise ModelError(
            f"{endpoint.base_url} is not an embedded endpoint. Use {SCHEME}://teacher (or {SCHEME}://teacher/second, "
            f"/third) or {SCHEME}://judge."
        )
    if simulation is None:
        raise ParameterError(
            f"{endpoint.base_url} needs the section `simulation` of the profile: the declared errors of the simulated "
            "endpoints. Copy it from profiles/embedded.yaml."
        )
    if host == "teacher":
        behaviour = _teacher_behaviour(simulation, name)
        instance = teacher.Teacher(behaviour, simulation.world, seed, labels or {}, name)
        label_part = () if labels is None else (sorted(labels.items()),)
        return EmbeddedTransport(
            lambda messages, model, repeat: teacher.answer(messages, instance),
            _fingerprint(
                host, {"world": simulation.world.model_dump(), **behaviour.model_dump()}, seed, name, *label_part
            ),
        )

    def judge_answer(messages: Sequence[Message], model: str, repeat: int) -> str:
        if openended_judge.is_request(messages):
            return openended_judge.answer(messages, simulation.openended, seed, model)
        return judge.answer(messages, simulation.judge, seed, model, repeat)

    return EmbeddedTransport(
        judge_answer, _fingerprint(host, {**simulation.judge.model_dump(), **simulation.openended.model_dump()}, seed)
    )


def _teacher_behaviour(simulation: Simulation, name: str) -> SimulatedTeacher:
    others = simulation.other_teachers
    behaviour = {"": simulation.teacher, "second": others.second, "third": others.third}[name]
    if behaviour is None:
        raise ParameterError(
            f"{SCHEME}://teacher/{name} needs simulation.other_teachers.{name} of the profile: the behaviour of this "
            "simulated teacher. Copy it from profiles/embedded.yaml."
        )
    return behaviour


def _fingerprint(host: str, settings: dict[str, Any], seed: int, *more: object) -> str:
    paths = [Path(__file__), *(Path(str(module.__file__)) for module in _MODULES[host])]
    sources = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    return digest(host, settings, seed, sources, *more)


def _read(body: bytes) -> tuple[str, list[Message], int]:
    """Model, messages and seed (0: none) of a request body; DataError unless it is in the OpenAI format."""
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
        raise DataError("the body's 'seed' must be an integer")
    parsed: list[Message] = [{"role": message["role"], "content": message["content"]} for message in messages]
    return value["model"], parsed, repeat


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("role", "content"))


def _completion(model: str, messages: Sequence[Message], text: str) -> dict[str, Any]:
    prompt_tokens = sum(_tokens(message["content"]) for message in messages)
    completion_tokens = _tokens(text)
    return {
        "object": "chat.completion",
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


def _tokens(text: str) -> int:
    """Number of words and punctuation marks, which approximates a tokenizer's count for estimates of cost."""
    return len(re.findall(r"\w+|[^\w\s]", text))


def _error(status: int, message: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": message, "type": "invalid_request_error", "code": status}})
