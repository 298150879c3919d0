"""Guards that run in this process, asked as endpoints are: the same prompts, parsers, cache, refusals and costs.

Not everyone who audits has a server, and a guard of some 40 million parameters needs none. httpx takes a transport in
the place of a network, so that nothing above it differs; what the model has answered is read from the answer cache, by
a key that holds the weights' revision. torch is imported with the first question that is new.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import httpx

from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.core import hub
from dart.core.files import replacing, write_json
from dart.core.schema.profile import Guard, LocalGuard
from dart.core.seeds import digest
from dart.core.store import cache_folder
from dart.prompts.messages import Message

ANSWERS = 1  # raise it if the same model would answer otherwise by this code


class GuardReply(NamedTuple):
    """What a model gave for one question; `refusal`: why it gave no verdict."""

    text: str
    prompt_tokens: int
    completion_tokens: int
    is_cut: bool = False  # at max_new_tokens
    refusal: str | None = None


class GuardModel(Protocol):
    """A loaded guard, `dart.harm.guard_models`."""

    def answer(self, messages: Sequence[Message], variables: Mapping[str, Any]) -> GuardReply:
        """The answer to one exchange; `variables` of its chat template."""


class LocalGuardTransport(httpx.AsyncBaseTransport):
    """Answers chat requests by a guard in this process, one at a time, so that no text depends on its neighbours.

    Attributes:
        fingerprint: of everything besides the request that decides an answer; part of the request's key.
    """

    def __init__(self, guard: Guard) -> None:
        assert guard.local is not None, "a guard behind an address needs no transport"
        self._guard = guard
        self._model: GuardModel | None = None
        self._lock = threading.Lock()
        self.fingerprint = fingerprint_of(guard)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One chat completion in the OpenAI format.

        Raises:
            ModelError: the guard cannot be loaded, or its chat template does not show it the texts.
        """
        body = json.loads(await request.aread())
        # in a thread: the loop has leases to renew meanwhile
        reply = await asyncio.to_thread(self._answer, body["messages"], body.get("chat_template_kwargs", {}))
        message = {"role": "assistant", "content": reply.text, "refusal": reply.refusal}
        reason = "length" if reply.is_cut else "stop"
        usage = {"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens}
        choices = [{"index": 0, "message": message, "finish_reason": reason}]
        return httpx.Response(200, json={"model": body["model"], "choices": choices, "usage": usage})

    def _answer(self, messages: Sequence[Message], variables: Mapping[str, Any]) -> GuardReply:
        with self._lock:
            if self._model is None:
                from dart.harm.guard_models import load_guard  # torch

                self._model = load_guard(self._guard)
            return self._model.answer(messages, variables)


def guard_client(guard: Guard, stage: str, cache: ResponseCache | None = None) -> ChatClient:
    """A client of a guard, wherever it runs.

    Raises:
        ChatError: the variable of its key is not set, or its address is refused.
        ModelError: the folder of a local guard holds no checkpoint.
    """
    party = guard.party
    transport = None if guard.local is None else LocalGuardTransport(guard)
    fallback = None if party.fallback is None else ChatClient(party.fallback, stage=stage, cache=cache)
    return ChatClient(party, stage=stage, transport=transport, cache=cache, fallback=fallback)


def fingerprint_of(guard: Guard) -> str | None:
    """The weights, settings and libraries that decide a local guard's answers; None for one behind an address.

    Raises:
        ModelError: its folder holds no checkpoint.
    """
    local = guard.local
    if local is None:
        return None
    source = hub.resolve(guard_folder(local))
    template = None if local.chat_template is None else Path(local.chat_template).read_text(encoding="utf-8")
    fields = ("labels", "threshold", "max_length") if guard.format == "classifier" else ("precision", "max_new_tokens")
    settings = {name: getattr(local, name) for name in fields}
    libraries = {name: version(name) for name in ("torch", "transformers", "tokenizers")}
    return digest("guard", ANSWERS, guard.format, source.name, source.revision, settings, template, libraries)


def guard_folder(local: LocalGuard) -> Path:
    """A folder in the sense of `dart.core.hub.resolve`: the checkpoint, or the pin of its commit on the hub."""
    if Path(local.model).is_dir():
        return Path(local.model)
    folder = cache_folder() / "guards" / digest(local.model, local.revision)[:16]
    if not (folder / hub.PIN).is_file():
        with replacing(folder) as scratch:
            scratch.mkdir()
            pin = {"model": local.model, "requested": local.revision, "revision": local.revision}
            write_json(scratch / hub.PIN, pin)
    return folder
