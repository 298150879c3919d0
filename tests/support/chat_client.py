"""A chat client whose endpoint is a function: the real client over a mock transport, for tests of what is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.chat.retry import Backoff
from dart.core.schema.profile import Endpoint

Reply = Callable[[list[dict[str, str]]], str | int]  # messages -> content, or an HTTP status that is an error


class FakeClient:
    """A client, and every request body that its endpoint has seen."""

    def __init__(self, reply: Reply, folder: Path) -> None:
        self.requests: list[dict[str, Any]] = []
        self._reply = reply
        endpoint = Endpoint(
            base_url="embedded://test", model="asked", api_key_env=None, temperature=0.0, max_tokens=100, concurrency=2,
            requests_per_minute=None, timeout_s=10, top_p=None, tokens_per_minute=None, budget_usd=None,
            usd_per_million_prompt_tokens=0, usd_per_million_completion_tokens=0,
        )  # fmt: skip
        self.client = ChatClient(
            endpoint, stage="test", transport=httpx.MockTransport(self._answer),
            cache=ResponseCache(folder / "answers.sqlite"), backoff=Backoff(max_tries=1),
        )  # fmt: skip

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.requests.append(body)
        result = self._reply(body["messages"])
        if isinstance(result, int):
            return httpx.Response(result, json={"error": {"message": "no"}})
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": result}}
        return httpx.Response(200, json={"model": "served", "choices": [choice], "usage": {}})
