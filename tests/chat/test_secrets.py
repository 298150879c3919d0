"""The key opens the endpoint and shows up nowhere; addresses that would give it away are refused."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

import httpx
import pytest

from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.chat.retry import Backoff
from dart.chat.transport import check_url
from dart.core.errors import ChatError
from tests.support.fake_endpoint import ScriptedTransport, echo, endpoint, question, reply, status, tasks

KEY = "sk-0123456789abcdefSECRET"
ADDRESS = "https://host.example/v1"


def client(transport: ScriptedTransport, cache: ResponseCache, backoff: Backoff) -> ChatClient:
    config = endpoint(base_url=ADDRESS, api_key_env="TEST_API_KEY")
    return ChatClient(config, stage="s", transport=transport, cache=cache, backoff=backoff)


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_key_stops_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, cache: ResponseCache, fast: Backoff, value: str | None
) -> None:
    # published fault 5: without a key the judge was silently off
    if value is not None:
        monkeypatch.setenv("TEST_API_KEY", value)
    transport = ScriptedTransport()
    with pytest.raises(ChatError, match="export TEST_API_KEY="):
        client(transport, cache, fast)
    assert not transport.requests


def test_what_cannot_be_a_key_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, cache: ResponseCache, fast: Backoff
) -> None:
    monkeypatch.setenv("TEST_API_KEY", f"{KEY}\n{KEY}")
    with pytest.raises(ChatError) as caught:
        client(ScriptedTransport(), cache, fast)
    assert "TEST_API_KEY" in str(caught.value)
    assert KEY not in str(caught.value)


def test_the_key_is_sent_and_a_line_end_from_a_file_is_not(
    monkeypatch: pytest.MonkeyPatch, cache: ResponseCache, fast: Backoff
) -> None:
    monkeypatch.setenv("TEST_API_KEY", f"{KEY}\n")
    transport = ScriptedTransport()
    client(transport, cache, fast).ask(tasks(1))
    assert transport.headers[0]["authorization"] == f"Bearer {KEY}"


FAULTS = {
    "401 that quotes the key": lambda: status(401, f"Incorrect API key provided: {KEY}."),
    "403": lambda: status(403),
    "400": lambda: httpx.Response(400, content=f"bad header Bearer {KEY}".encode()),
    "500": lambda: status(500, KEY),
    "no connection": lambda: httpx.ConnectError(f"refused {KEY}"),
    "protocol": lambda: httpx.LocalProtocolError(f"Illegal header value b'Bearer {KEY}'"),
    "timeout": lambda: httpx.ReadTimeout("read"),
    "no answer": lambda: reply(""),
    "no fault": lambda: reply("fine"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_the_key_is_in_no_message_log_traceback_or_file(
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
    cache: ResponseCache,
    fast: Backoff,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TEST_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    output = []
    chat = client(
        ScriptedTransport(lambda body, nth: echo(body, nth) if question(body) == "question 0" else FAULTS[kind]()),
        cache,
        fast,
    )
    try:
        outcome = chat.ask(tasks(3))
        output += [repr(outcome), *outcome.failures.values()]
        outcome.require_complete("s")
    except ChatError as error:
        chain: BaseException | None = error
        while chain is not None:  # also causes and contexts that an ordinary traceback suppresses
            output += ["".join(traceback.TracebackException.from_exception(chain, capture_locals=True).format())]
            chain = chain.__cause__ or chain.__context__
    else:
        assert kind == "no fault"
    output += [repr(chat), repr(vars(chat)), caplog.text, *capfd.readouterr()]
    files = [file for file in Path(cache.path).parent.rglob("*") if file.is_file()]
    assert any(file.name == cache.path.name for file in files)
    assert not [text for text in output if "0123456789abcdef" in text]
    assert not [file for file in files if b"0123456789abcdef" in file.read_bytes()]


@pytest.mark.parametrize(
    ("code", "way_out"),
    [(401, "TEST_API_KEY"), (403, "TEST_API_KEY"), (404, "/chat/completions"), (400, "max_tokens"), (402, "balance"),
     (307, "base_url")],
)  # fmt: skip
def test_a_refusal_names_the_way_out(
    code: int, way_out: str, monkeypatch: pytest.MonkeyPatch, cache: ResponseCache, fast: Backoff
) -> None:
    monkeypatch.setenv("TEST_API_KEY", KEY)
    with pytest.raises(ChatError, match=f"HTTP {code}.*because.*{way_out}"):
        client(ScriptedTransport(lambda body, nth: status(code, "because")), cache, fast).ask(tasks(3))


@pytest.mark.parametrize("address", ["https://api.example/v1", "http://localhost:8000/v1", "http://127.0.0.1/v1",
                                     "http://127.8.9.1/v1", "http://[::1]:8000/v1"])  # fmt: skip
def test_safe_addresses(address: str) -> None:
    check_url(address, in_process=False)


@pytest.mark.parametrize("address", ["http://api.example/v1", "http://10.0.0.5:8000/v1", "http://localhost.example/v1",
                                     "http://127.0.0.1.example/v1"])  # fmt: skip
def test_plain_http_to_elsewhere_is_refused_unless_allowed_by_name(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ChatError, match="unencrypted"):
        check_url(address, in_process=False)
    monkeypatch.setenv("DART_ALLOW_HTTP", f"other.example, {httpx.URL(address).host}")
    check_url(address, in_process=False)


@pytest.mark.parametrize("address", ["embedded://teacher", "ftp://host/v1", "host/v1", "", "https://", "https://a:b@h/v1",
                                     "http://[::1"])  # fmt: skip
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(ChatError) as caught:
        check_url(address, in_process=False)
    assert "a:b" not in str(caught.value)
