"""Servers that are broken or worse: no wrong value in the cache, no key anywhere, no traceback, no full memory."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import httpx
import pytest

from dart.chat import archive
from dart.chat.archive import Selection
from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.chat.ledger import ledger_entries, max_prompt_tokens, nano_usd
from dart.chat.models import ModelList
from dart.chat.request import build_request
from dart.chat.retry import Backoff
from dart.chat.tasks import Outcome
from dart.chat.transport import Secret, is_key_shaped, may_use_proxy
from dart.cli.app import main
from dart.core.errors import ChatError, DataError
from dart.core.visible_text import one_line, visible
from tests.support.fake_endpoint import ScriptedTransport, endpoint, reply, tasks
from tests.support.raw_server import RawServer, running

KEY = "sk-HOSTILEKEY-0123456789abcdef"
ONCE = Backoff(max_tries=1)
MIB = 1 << 20


def body(text: str = "fine", **more: Any) -> bytes:
    return reply(text, **more).content


def with_usage(usage: Any) -> bytes:
    return json.dumps(json.loads(body()) | {"usage": usage}).encode()


def ask(server: RawServer, cache: ResponseCache, number: int = 3, **changes: Any) -> Outcome[str]:
    config = endpoint(base_url=f"{server.address}/v1", api_key_env="TEST_API_KEY", **changes)
    return ChatClient(config, stage="s", cache=cache, backoff=ONCE).ask(tasks(number, max_corrections=0))


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_API_KEY", KEY)


USAGES = {
    "none": None, "empty": {}, "negative": {"prompt_tokens": -(10**12), "completion_tokens": 5},
    "huge": {"prompt_tokens": 10**19, "completion_tokens": 5},
    "vast": {"prompt_tokens": 10**400, "completion_tokens": 5},
    "a text": {"prompt_tokens": "7", "completion_tokens": "5"}, "a list": [1, 2], "true": {"prompt_tokens": True},
    "half": {"prompt_tokens": 7}, "zero": {"prompt_tokens": 0, "completion_tokens": 0},
    "nothing for a text": {"prompt_tokens": 7, "completion_tokens": 0}, "a fraction": {"prompt_tokens": 0.5},
}  # fmt: skip


@pytest.mark.parametrize("kind", USAGES)
def test_usage_that_cannot_be_stays_charged_at_its_worst_and_the_budget_holds(kind: str, cache: ResponseCache) -> None:
    requests = [
        build_request(endpoint(), task.messages, json_object=False, repeat=0, fingerprint=None) for task in tasks(20)
    ]
    worst = [nano_usd(endpoint(), max_prompt_tokens(request), 64) / 1e9 for request in requests]
    with running(RawServer(body=with_usage(USAGES[kind]))) as server:
        outcome = ask(server, cache, 20, budget_usd=6.5 * max(worst))
        assert 0 < len(outcome.answers) <= 6
        assert len(server.seen) == len(outcome.answers), "the budget is a hard stop"
    [line] = ledger_entries(cache)
    assert line.usd == 0
    assert line.unconfirmed_usd == pytest.approx(sum(worst[: line.calls]), rel=0.01)
    assert archive.answer_counts(cache)[0].answers == line.calls
    out = cache.path.parent / "out.jsonl"
    assert archive.export(cache, out, Selection()) == (line.calls, 0)
    assert archive.load(ResponseCache(cache.path.parent / "other.sqlite"), out).added == line.calls


@pytest.mark.parametrize("kind", ["plain", "gzip", "deep"])
def test_a_reply_is_never_larger_than_an_answer(kind: str, cache: ResponseCache) -> None:
    text = "word " * MIB
    content = {"plain": body(text), "gzip": gzip.compress(body(text * 4)), "deep": b"[" * (5 * MIB)}[kind]
    headers = {"content-encoding": "gzip"} if kind == "gzip" else {}
    with running(RawServer(body=content, headers=headers)) as server:
        tracemalloc.start()
        outcome = ask(server, cache, 2)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert len(outcome.failures) == 2
    assert "larger than any answer" in outcome.failures["t0"]
    assert peak < 8 * MIB
    assert len(cache) == 0
    assert ledger_entries(cache)[0].unconfirmed_usd > 0, "perhaps billed"


@pytest.mark.parametrize("content", [gzip.compress(body())[:-9], b"no gzip at all", gzip.compress(body()) + b"x"])
def test_compressed_replies_are_whole_or_no_answer(content: bytes, cache: ResponseCache) -> None:
    with running(RawServer(body=content, headers={"content-encoding": "gzip"})) as server:
        outcome = ask(server, cache, 1)
    assert len(outcome.answers) == int(content.endswith(b"x"))
    with running(RawServer(body=gzip.compress(body()), headers={"content-encoding": "gzip"})) as server:
        assert ask(server, cache, 1).answers["t0"].text == "fine"


@pytest.mark.parametrize("status", [400, 500, 200])
def test_deep_nesting_is_one_message(status: int, cache: ResponseCache) -> None:
    with running(RawServer(status, b'{"error":' * 100_000)) as server:
        if status == 400:
            with pytest.raises(ChatError, match="HTTP 400"):
                ask(server, cache)
        else:
            assert len(ask(server, cache).failures) == 3


ECHOES = {
    "cut in a long explanation": (401, json.dumps({"error": {"message": "x" * 270 + f" key {KEY}"}}).encode()),
    "all but the end": (401, json.dumps({"error": {"message": f"invalid key {KEY[:-2]}"}}).encode()),
    "plain text": (500, KEY.encode()),
    "model": (200, body(model=KEY)),
    "finish_reason": (200, body().replace(b'"stop"', f'"{KEY}"'.encode())),
    "content": (200, body(f"my key is {KEY}")),
}


@pytest.mark.parametrize("kind", ECHOES)
def test_the_key_is_in_no_message_and_no_file(
    kind: str, cache: ResponseCache, capfd: pytest.CaptureFixture[str]
) -> None:
    texts = []
    with running(RawServer(*ECHOES[kind])) as server:
        try:
            texts.append(repr(ask(server, cache)))
        except ChatError as error:
            texts.append(str(error))
        assert server.seen[0][1] == f"Bearer {KEY}"
    texts += capfd.readouterr()
    assert not [text for text in texts if KEY[:20] in text]
    files = [file for file in cache.path.parent.rglob("*") if file.is_file()]
    assert not [file for file in files if KEY[:20].encode() in file.read_bytes()]


def test_a_part_of_a_key_is_scrubbed_and_a_short_one_is_only_a_word() -> None:
    secret = Secret(KEY)
    assert secret.scrub(f"a {KEY} b") == "a *** b"
    assert secret.scrub(f"...{KEY[5:25]}, {KEY[:14]}") == "...***, ***"
    assert secret.scrub("sk-HOSTILE") == "sk-HOSTILE"
    assert secret.scrub_bytes(f"x{KEY}y".encode()) == b"x***y"


@pytest.mark.parametrize("text", [
    "sk-proj-abcdef0123456789", "gsk_abcdef0123456789xyz", "hf_abcdefghijklmnop0123", "AIzaSyA-0123456789abcdefgh",
    "0123456789abcdef0123456789abcdef", "sk-HOSTILEKEY-0123456789abcdef",
])  # fmt: skip
def test_a_key_is_told_from_the_name_of_its_variable(text: str) -> None:
    assert is_key_shaped(text)
    for name in ("OPENAI_API_KEY", "DEEPSEEK_API_KEY", "key", "TOGETHER_API_KEY_2", "my_lab_key", "HF_TOKEN"):
        assert not is_key_shaped(name)


def test_no_proxy_for_this_machine_and_for_plain_http(cache: ResponseCache, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(RawServer(body=body())) as proxy, running(RawServer(body=body())) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.address)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        assert len(ask(server, cache).answers) == 3
        server.body = json.dumps({"data": [{"id": "asked-model"}]}).encode()
        assert "asked-model" in ModelList(endpoint(base_url=f"{server.address}/v1")).fetch()
        assert proxy.seen == []
    assert may_use_proxy("https://api.example/v1")
    assert not may_use_proxy("https://localhost/v1")
    assert not may_use_proxy("http://vllm.cluster:8000/v1")


ESCAPES = "\x1b]0;title\x07\x1b[2J\x1b[1;1Hstage distill: done\r\n\u202etxt.exe\x9b31m"


def test_escapes_of_a_server_do_not_reach_the_terminal(
    cache: ResponseCache, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    refusal = RawServer(401, json.dumps({"error": {"message": ESCAPES}}).encode())
    with running(refusal) as server, pytest.raises(ChatError) as caught:
        ask(server, cache)
    shown = visible(str(caught.value))
    assert not set(shown) & set("\x1b\x07\r\u202e\x9b")
    line = {
        "key": "0" * 64, "base_url": "u\x1b[2J", "model": ESCAPES, "stage": "s", "text": "t", "finish_reason": "stop",
        "prompt_tokens": 1, "completion_tokens": 1, "served_model": "m",
    }  # fmt: skip
    (tmp_path / "a.jsonl").write_text(json.dumps(line))
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "c"))
    assert main(["cache", "import", str(tmp_path / "a.jsonl")]) == 0
    assert main(["cache", "stats"]) == 0
    assert main(["cache", "import", str(tmp_path / "no\x1b[2Jfile")]) == 1
    output = capsys.readouterr()
    assert not set(output.out + output.err) & set("\x1b\x07\u202e\x9b")
    assert one_line(ESCAPES, 40).isprintable()


def test_archives_are_bounded(
    cache: ResponseCache, filled: ResponseCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b"x" * (40 * MIB)))
    tracemalloc.start()
    with pytest.raises(DataError, match="larger than any archive"):
        archive.load(cache, path)
    assert tracemalloc.get_traced_memory()[1] < 80 * MIB
    tracemalloc.stop()
    monkeypatch.setattr(archive, "MAX_XZ_MEMORY", 1 << 16)
    other = tmp_path / "a.jsonl.xz"
    archive.export(filled, other, Selection())
    with pytest.raises(DataError, match="damaged or not what its suffix says"):
        archive.load(cache, other)
    big = {"key": "0" * 64, "base_url": "u", "model": "m", "stage": "s", "text": "t", "finish_reason": "stop",
           "prompt_tokens": 9 * 10**18, "completion_tokens": 1, "served_model": "m"}  # fmt: skip
    (tmp_path / "b.jsonl").write_text(json.dumps(big))
    with pytest.raises(DataError, match="prompt_tokens"):
        archive.load(cache, tmp_path / "b.jsonl")


def test_an_in_process_reply_is_bounded_as_well(cache: ResponseCache) -> None:
    transport = ScriptedTransport(lambda _, nth: httpx.Response(200, content=body("word " * MIB)))
    outcome = ChatClient(endpoint(), stage="s", transport=transport, cache=cache, backoff=ONCE).ask(tasks(1))
    assert "larger than any answer" in outcome.failures["t0"]
