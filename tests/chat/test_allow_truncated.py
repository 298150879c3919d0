"""What a student wrote is an answer, cut or empty as it may be; the same text is none for a teacher or a judge."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.chat.request import build_request
from dart.chat.retry import Backoff
from tests.support.fake_endpoint import ScriptedTransport, endpoint, reply, tasks


def client(transport: ScriptedTransport, cache: ResponseCache, fast: Backoff) -> ChatClient:
    return ChatClient(endpoint(), stage="s", transport=transport, cache=cache, backoff=fast)


@pytest.mark.parametrize(("text", "finish"), [("half a sen", "length"), ("", "stop")])
def test_a_cut_or_empty_text_is_kept_for_a_student_only(
    text: str, finish: str, cache: ResponseCache, fast: Backoff
) -> None:
    def script(body: dict[str, Any], nth: int) -> httpx.Response:
        return reply(text, finish)

    server = ScriptedTransport(script)
    truncatable = tasks(1, max_corrections=0, allow_truncated=True)
    for _ in range(2):
        assert client(server, cache, fast).ask(truncatable).answers["t0"].text == text
    assert len(server.requests) == 1
    assert client(server, cache, fast).count_uncached(truncatable) == 0
    failed = client(server, cache, fast).ask(tasks(1, max_corrections=0))  # found under the very same key: asked anew
    assert "t0" in failed.missing
    assert len(server.requests) == 2
    assert len(cache) == 0


def test_another_end_is_no_answer_for_anyone(cache: ResponseCache, fast: Backoff) -> None:
    batch = tasks(1, max_corrections=0, allow_truncated=True)
    withheld = ScriptedTransport(lambda body, nth: reply("half a sen", "content_filter"))
    assert client(withheld, cache, fast).ask(batch).refusals["t0"].kind == "moderation"
    interrupted = ScriptedTransport(lambda body, nth: reply("half a sen", "interrupted"))
    assert client(interrupted, ResponseCache(cache.path.parent / "other"), fast).ask(batch).missing
    assert len(ResponseCache(cache.path.parent / "other")) == 0


def test_what_a_task_adds_is_sent_and_in_the_key_and_cannot_replace_what_is_there() -> None:
    def request(extra_body: dict[str, Any] | None) -> Any:
        messages = tasks(1)[0].messages
        return build_request(endpoint(), messages, json_object=False, repeat=0, fingerprint=None, extra_body=extra_body)

    assert request({"stop": ["x"]}).body["stop"] == ["x"]
    assert len({request(extra_body).key for extra_body in (None, {"seed": 1}, {"seed": 2})}) == 3
    assert request({}).key == request(None).key
    with pytest.raises(ValueError, match="temperature"):
        request({"temperature": 1.0})
