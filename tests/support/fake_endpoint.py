"""An endpoint inside the test: answers by a script, injects faults, and records every request.

As a program it is a stage that can be killed:
``python -m tests.support.fake_endpoint CACHE LOG OUT TASKS LATENCY_S``.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.chat.tasks import Task
from dart.core.schema.profile import Endpoint

Script = Callable[[dict[str, Any], int], httpx.Response | Exception | None]
CONCURRENCY = 8


def endpoint(**changes: Any) -> Endpoint:
    values: dict[str, Any] = {
        "base_url": "embedded://test",
        "model": "asked-model",
        "api_key_env": None,
        "temperature": 0.2,
        "max_tokens": 64,
        "concurrency": CONCURRENCY,
        "top_p": None,
        "requests_per_minute": None,
        "tokens_per_minute": None,
        "budget_usd": None,
        "timeout_s": 5.0,
        "usd_per_million_prompt_tokens": 1.0,
        "usd_per_million_completion_tokens": 10.0,
    }
    return Endpoint(**{**values, **changes})


def reply(text: str | None, finish_reason: str | None = "stop", **more: Any) -> httpx.Response:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    usage = {"prompt_tokens": 100, "completion_tokens": 10}
    return httpx.Response(200, json={"choices": [choice], "usage": usage, "model": "served-model", **more})


def truncated(text: str) -> httpx.Response:
    return httpx.Response(200, content=reply(text).content[:-25])


def status(code: int, message: str = "no", **headers: str) -> httpx.Response:
    return httpx.Response(code, json={"error": {"message": message}}, headers=headers)


def question(body: dict[str, Any]) -> str:
    return str(next(message["content"] for message in body["messages"] if message["role"] == "user"))


def echo(body: dict[str, Any], nth: int) -> httpx.Response:
    return reply(f"answer to {question(body)}")


class ScriptedTransport(httpx.AsyncBaseTransport):
    """`script(body, nth)`: what the nth (from 1) sending of this very body gets; None: hang until cancelled."""

    def __init__(self, script: Script = echo, latency_s: float = 0.0) -> None:
        self.script = script
        self.latency_s = latency_s
        self.requests: list[dict[str, Any]] = []
        self.sent: Counter[bytes] = Counter()
        self.sent_at: list[float] = []
        self.in_flight = self.max_in_flight = self.max_coroutines = 0
        self.headers: list[httpx.Headers] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.requests.append(body)
        self.sent[request.content] += 1
        self.sent_at.append(asyncio.get_running_loop().time())
        self.headers.append(request.headers)
        nth = self.sent[request.content]
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        self.max_coroutines = max(self.max_coroutines, len(asyncio.all_tasks()))
        try:
            await asyncio.sleep(self.latency_s)
            result = self.script(body, nth)
            if result is None:
                await asyncio.sleep(3600)
        finally:
            self.in_flight -= 1
        if isinstance(result, httpx.RequestError):
            result.request = request  # as httpx does; this is how a key can get into an exception
        if isinstance(result, Exception):
            raise result
        assert result is not None
        return result


def tasks(number: int, **changes: Any) -> list[Task[str]]:
    fields: dict[str, Any] = {"check": str.upper, "max_corrections": 2, **changes}
    return [Task(f"t{i}", [{"role": "user", "content": f"question {i}"}], **fields) for i in range(number)]


def main(cache: str, log: str, out: str, number: str, latency_s: str) -> None:
    """Ask; each answer is unique to this process, and logged at the moment it leaves the 'server'."""
    with Path(log).open("a", encoding="utf-8") as stream:

        def script(body: dict[str, Any], nth: int) -> httpx.Response:
            stream.write(f"{question(body)}\n")
            stream.flush()
            return reply(f"{question(body)} by {os.getpid()}")

        client = ChatClient(
            endpoint(),
            stage="kill",
            transport=ScriptedTransport(script, float(latency_s)),
            cache=ResponseCache(Path(cache)),
        )
        outcome = client.ask(tasks(int(number)))
        outcome.require_complete("kill")
    lines = [f"{key} {answer.value}" for key, answer in outcome.answers.items()]
    Path(out).write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
