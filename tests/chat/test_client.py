"""Conversations, faults and failures through the whole client (published fault 4: a failure counted as a verdict)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from typing import Any

import httpx
import pytest

from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.chat.retry import Backoff
from dart.chat.tasks import Answer, Cost, Outcome, Rejected, Task, Usage
from dart.core.errors import ChatError, IncompleteError
from tests.support.fake_endpoint import (
    CONCURRENCY,
    Script,
    ScriptedTransport,
    echo,
    endpoint,
    question,
    reply,
    status,
    tasks,
    truncated,
)


def ask(
    transport: ScriptedTransport, cache: ResponseCache, backoff: Backoff, batch: list[Task[str]], **changes: Any
) -> Outcome[str]:
    client = ChatClient(endpoint(**changes), stage="s", transport=transport, cache=cache, backoff=backoff)
    return client.ask(batch)


def test_answers_come_in_task_order_with_their_cost(cache: ResponseCache, fast: Backoff) -> None:
    outcome = ask(ScriptedTransport(), cache, fast, tasks(40))
    assert list(outcome.answers) == [f"t{i}" for i in range(40)]
    assert outcome.answers["t7"] == Answer(
        "t7", "ANSWER TO QUESTION 7", "answer to question 7", None, 1, "served-model", 100
    )
    assert outcome.usage == Usage(
        calls=40, prompt_tokens=4000, completion_tokens=400, usd=(4000 * 1.0 + 400 * 10.0) / 1e6,
        cost=Cost(answers=40, prompt_tokens=4000, completion_tokens=400, usd=0.008),
    )  # fmt: skip
    outcome.require_complete("s")


def test_the_last_line_of_progress_sums_up(
    cache: ResponseCache, fast: Backoff, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(ScriptedTransport(), cache, fast, tasks(1))
    ask(
        ScriptedTransport(lambda body, nth: status(500) if "2" in question(body) else echo(body, nth)),
        cache,
        fast,
        tasks(4),
    )
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("s: 4/4 done, 1 cached, 1 failed, ")
    assert last.endswith(" 0.0004 USD")


def test_what_is_sent(cache: ResponseCache, fast: Backoff) -> None:
    transport = ScriptedTransport()
    ask(transport, cache, fast, tasks(1, json_object=True))
    assert transport.requests == [
        {
            "model": "asked-model",
            "messages": [{"role": "user", "content": "question 0"}],
            "temperature": 0.2,
            "max_tokens": 64,
            "response_format": {"type": "json_object"},
        }
    ]


def test_nothing_is_asked_twice(cache: ResponseCache, fast: Backoff) -> None:
    transport = ScriptedTransport()
    first = ask(transport, cache, fast, tasks(20))
    second = ask(transport, cache, fast, tasks(30))
    assert len(transport.requests) == 30
    assert {key: second.answers[key] for key in first.answers} == first.answers
    assert (second.usage.calls, second.usage.cached, second.usage.cost.prompt_tokens) == (10, 20, 3000)
    assert second.usage.usd == pytest.approx(10 * (100 * 1.0 + 10 * 10.0) / 1e6)


def test_the_same_question_at_the_same_time_is_asked_once(cache: ResponseCache, fast: Backoff) -> None:
    transport = ScriptedTransport(latency_s=0.01)
    same = [Task(f"t{i}", [{"role": "user", "content": "q"}], str, 0) for i in range(10)]
    outcome = ask(transport, cache, fast, same)
    assert len(transport.requests) == 1
    assert len(outcome.answers) == 10
    repeats = [task._replace(repeat=i) for i, task in enumerate(same)]
    assert ask(transport, cache, fast, repeats).usage.calls == 9  # votes are independent answers


def test_an_embedded_world_that_changed_is_asked_again(cache: ResponseCache, fast: Backoff) -> None:
    for fingerprint, calls in (("one", 3), ("one", 0), ("two", 3)):
        transport = ScriptedTransport()
        transport.fingerprint = fingerprint  # type: ignore[attr-defined]
        assert ask(transport, cache, fast, tasks(3)).usage.calls == calls


def short(text: str) -> str:
    if "short" not in text:
        raise Rejected("Say it short.")
    return text


def stubborn(times: int) -> Script:
    """Gives in at correction round number `times`."""

    def script(body: dict[str, Any], nth: int) -> httpx.Response:
        rounds = len(body["messages"]) // 2
        return reply("short" if rounds >= times else f"long {rounds}")

    return script


def test_a_rejected_answer_is_corrected_in_a_conversation(cache: ResponseCache, fast: Backoff) -> None:
    transport = ScriptedTransport(stubborn(2))
    outcome = ask(transport, cache, fast, tasks(1, check=short))
    assert outcome.answers["t0"].value == "short"
    assert outcome.answers["t0"].attempts == 3
    assert transport.requests[2]["messages"] == [
        {"role": "user", "content": "question 0"},
        {"role": "assistant", "content": "long 0"},
        {"role": "user", "content": "Say it short."},
        {"role": "assistant", "content": "long 1"},
        {"role": "user", "content": "Say it short."},
    ]
    assert ask(transport, cache, fast, tasks(1, check=short)).answers == outcome.answers
    assert len(transport.requests) == 3, "correction rounds come from the cache as well"


def test_rounds_are_bounded_and_a_last_rejection_is_an_answer_without_a_value_or_a_failure(
    cache: ResponseCache, fast: Backoff
) -> None:
    transport = ScriptedTransport(stubborn(9))
    allowed = ask(transport, cache, fast, tasks(1, check=short, required=False))
    assert allowed.answers["t0"] == Answer("t0", None, "long 2", "Say it short.", 3, "served-model", 100)
    assert ask(transport, cache, fast, tasks(1, check=short, required=False)).usage.calls == 0
    required = ask(transport, cache, fast, tasks(1, check=short))
    assert not required.answers
    with pytest.raises(IncompleteError, match=r"(?s)1 of 1.*rejected.*Say it short.*only the missing ones are asked"):
        required.require_complete("judge")


def test_a_rejection_that_failed_a_task_is_not_found_again(cache: ResponseCache, fast: Backoff) -> None:
    assert ask(ScriptedTransport(stubborn(9)), cache, fast, tasks(2, check=short)).missing.keys() == {"t0", "t1"}
    cured = ask(ScriptedTransport(stubborn(1)), cache, fast, tasks(2, check=short))
    assert not cured.missing


def test_a_defect_in_a_check_is_not_hidden(cache: ResponseCache, fast: Backoff) -> None:
    def defect(text: str) -> str:
        raise KeyError("defect")

    with pytest.raises(KeyError, match="defect"):
        ask(ScriptedTransport(), cache, fast, tasks(20, check=defect))


FIRST_FAULT: dict[str, Any] = {
    "429": lambda: status(429),
    "429 with Retry-After": lambda: status(429, **{"retry-after": "0.02"}),
    "408": lambda: status(408),
    "409": lambda: status(409),
    "425": lambda: status(425),
    "500": lambda: status(500),
    "503": lambda: status(503),
    "read timeout": lambda: httpx.ReadTimeout("slow"),
    "connect error": lambda: httpx.ConnectError("no"),
    "reset in the body": lambda: httpx.RemoteProtocolError("incomplete body"),
    "bad encoding": lambda: httpx.DecodingError("gzip"),
    "truncated": lambda: truncated("half an answer"),
    "html": lambda: httpx.Response(200, content=b"<html>gateway</html>"),
    "error in a 200": lambda: httpx.Response(200, json={"error": {"message": "busy"}}),
    "empty": lambda: reply(""),
    "null": lambda: reply(None),
    "blank": lambda: reply(" \n "),
    "length": lambda: reply("half an ans", "length"),
    "interrupted": lambda: reply("half", "insufficient_system_resource"),
}


@pytest.mark.parametrize("kind", FIRST_FAULT)
def test_a_fault_costs_a_try_and_never_an_answer(kind: str, cache: ResponseCache, fast: Backoff) -> None:
    def script(body: dict[str, Any], nth: int) -> httpx.Response | Exception:
        first = nth == 1 and len(body["messages"]) == 1
        result: httpx.Response | Exception = FIRST_FAULT[kind]() if first else echo(body, nth)
        return result

    transport = ScriptedTransport(script)
    outcome = ask(transport, cache, fast, tasks(6))
    assert [answer.text for answer in outcome.answers.values()] == [f"answer to question {i}" for i in range(6)]
    assert {answer.attempts for answer in outcome.answers.values()} == {1}, "a fault is not a correction round"
    assert len(transport.requests) == 12
    assert ask(transport, cache, fast, tasks(6)).answers == outcome.answers
    assert len(transport.requests) == 12, "an answer that needed a second try is found under its own request"


@pytest.mark.parametrize("kind", FIRST_FAULT)
def test_a_fault_that_stays_is_a_failure_and_is_not_kept(kind: str, cache: ResponseCache, fast: Backoff) -> None:
    transport = ScriptedTransport(lambda body, nth: FIRST_FAULT[kind]() if "1" in question(body) else echo(body, nth))
    outcome = ask(transport, cache, fast, tasks(4))
    assert list(outcome.answers) == ["t0", "t2", "t3"]
    assert [*outcome.failures, *outcome.missing] == ["t1"]
    assert len(cache) == 3
    with pytest.raises(IncompleteError, match="1 of 4"):
        outcome.require_complete("s")
    again = ScriptedTransport()
    ask(again, cache, fast, tasks(4)).require_complete("s")
    assert [question(body) for body in again.requests] == ["question 1"], "a re-run asks only for what is missing"


def test_a_cut_answer_is_told_so(cache: ResponseCache, fast: Backoff) -> None:
    transport = ScriptedTransport(lambda body, nth: reply("half", "length"))
    outcome = ask(transport, cache, fast, tasks(1, max_corrections=2))
    assert len(transport.requests) == 3
    assert [message["role"] for message in transport.requests[1]["messages"]] == ["user", "assistant", "user"]
    assert "cut off" in transport.requests[1]["messages"][2]["content"]
    assert outcome.refusals["t0"].kind == "unreadable"
    assert "length" in outcome.refusals["t0"].words
    assert outcome.usage.calls == 3, "replies that are no answers are paid as well"


def test_a_server_that_hangs_is_left_after_timeout_s(cache: ResponseCache, fast: Backoff) -> None:
    transport = ScriptedTransport(lambda body, nth: None if nth == 1 else echo(body, nth))
    outcome = ask(transport, cache, fast, tasks(3), timeout_s=0.5)
    assert (len(outcome.answers), outcome.usage.retries) == (3, 3)


def test_retry_after_holds_back_that_request_and_no_other(cache: ResponseCache, fast: Backoff) -> None:
    def script(body: dict[str, Any], nth: int) -> httpx.Response:
        if "question 0" in question(body) and nth == 1:
            return status(429, **{"retry-after": "0.3"})
        return echo(body, nth)

    transport = ScriptedTransport(script, latency_s=0.002)
    outcome = ask(transport, cache, fast, tasks(30))
    assert len(outcome.answers) == 30
    waited = [
        at for body, at in zip(transport.requests, transport.sent_at, strict=True) if question(body) == "question 0"
    ]
    assert waited[1] - waited[0] >= 0.3
    assert sum(at < waited[0] + 0.29 for at in transport.sent_at) == 30, "the others went on"


def test_requests_per_minute_are_kept(cache: ResponseCache, fast: Backoff) -> None:
    transport = ScriptedTransport()
    ask(transport, cache, fast, tasks(6), requests_per_minute=1200)
    assert (
        transport.sent_at[-1] - transport.sent_at[0] >= 0.8 * (len(transport.sent_at) - 1) * 0.05
    )  # single starts jitter


def test_many_tasks_need_no_more_than_a_pool(cache: ResponseCache, fast: Backoff) -> None:
    transport = ScriptedTransport(latency_s=0.001)
    ask(transport, cache, fast, tasks(500))
    assert transport.max_in_flight == CONCURRENCY
    assert transport.max_coroutines <= 2 * CONCURRENCY + 2


def test_a_refusal_stops_at_once_and_keeps_what_came(cache: ResponseCache, fast: Backoff) -> None:
    def script(body: dict[str, Any], nth: int) -> httpx.Response:
        return status(401, "expired") if "question 9" in question(body) else echo(body, nth)

    transport = ScriptedTransport(script, latency_s=0.001)
    with pytest.raises(ChatError, match="HTTP 401: expired"):
        ask(transport, cache, fast, tasks(1000))
    assert 9 <= len(transport.requests) <= 10 + 2 * CONCURRENCY
    assert len(cache) == len(transport.requests) - 1, "answers in flight were kept"


def test_an_endpoint_that_is_down_is_not_asked_ten_thousand_times(cache: ResponseCache, fast: Backoff) -> None:
    ask(ScriptedTransport(), cache, fast, tasks(100)[90:])
    transport = ScriptedTransport(lambda body, nth: httpx.ConnectError("refused"))
    outcome = ask(transport, cache, fast, tasks(100))
    assert len(outcome.answers) == 10, "what is in the cache is used all the same"
    assert len(outcome.failures) == 90
    assert len(transport.requests) <= 8 * (20 + 2 * CONCURRENCY)
    with pytest.raises(IncompleteError, match="20 requests in a row"):
        outcome.require_complete("s")


def test_single_failures_do_not_stop_the_others(cache: ResponseCache, fast: Backoff) -> None:
    transport = ScriptedTransport(lambda body, nth: status(500) if question(body).endswith("0") else echo(body, nth))
    outcome = ask(transport, cache, fast, tasks(400))
    assert (len(outcome.answers), len(outcome.failures)) == (360, 40)


def test_the_cache_alone_needs_no_key_and_sends_nothing(
    cache: ResponseCache, fast: Backoff, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = {"base_url": "https://host.example/v1", "api_key_env": "TEST_API_KEY"}
    monkeypatch.setenv("TEST_API_KEY", "k")
    full = ask(ScriptedTransport(), cache, fast, tasks(3), **there)
    monkeypatch.delenv("TEST_API_KEY")
    monkeypatch.setenv("DART_CACHE_ONLY", "1")
    silent = ScriptedTransport()
    again = ask(silent, cache, fast, tasks(5), **there)
    assert again.answers == full.answers
    assert list(again.failures) == ["t3", "t4"]
    assert not silent.requests


def test_reasons_are_grouped(cache: ResponseCache, fast: Backoff) -> None:
    transport = ScriptedTransport(
        lambda body, nth: status(503) if question(body)[-1] in "12" else reply("", "content_filter")
    )
    outcome = ask(transport, cache, fast, tasks(10))
    with pytest.raises(IncompleteError) as caught:
        outcome.require_complete("judge")
    assert "judge: 2 of 10 tasks have no answer (first: t1, t2)" in str(caught.value)
    assert "2 x given up after 8 tries: HTTP 503: no\nBesides, 8 were refused." in str(caught.value)


def test_task_keys_are_unique(cache: ResponseCache, fast: Backoff) -> None:
    with pytest.raises(ValueError, match="1 of 4 task keys"):
        ask(ScriptedTransport(), cache, fast, [*tasks(3), *tasks(1)])


def test_no_tasks_no_requests(cache: ResponseCache, fast: Backoff) -> None:
    assert ask(ScriptedTransport(), cache, fast, []) == Outcome({}, {}, Usage(), {})


def test_it_works_where_a_loop_is_running(cache: ResponseCache, fast: Backoff) -> None:
    async def notebook() -> int:
        return len(ask(ScriptedTransport(), cache, fast, tasks(5)).answers)

    assert asyncio.run(notebook()) == 5


FAULTS = (
    lambda: status(429, **{"retry-after": "0.001"}),
    lambda: status(500),
    lambda: status(503),
    lambda: httpx.ReadTimeout("slow"),
    lambda: httpx.RemoteProtocolError("reset"),
    lambda: truncated("half"),
    lambda: reply(""),
    lambda: reply("half an answer", "length"),
    lambda: reply("Sure! Here is the JSON you want: {no json}"),
)


def read_json(text: str) -> str:
    try:
        return str(json.loads(text)["answer"])
    except ValueError:
        raise Rejected("This is not a JSON object. Answer with JSON only.") from None


def test_thirty_percent_faults_change_nothing(tmp_path: Any, fast: Backoff, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    answered: list[str] = []

    def script(body: dict[str, Any], nth: int) -> httpx.Response:
        answered.append(question(body))
        return reply(json.dumps({"answer": question(body)}))

    def faulty(body: dict[str, Any], nth: int) -> httpx.Response | Exception:
        draw = int(hashlib.sha256(f"{json.dumps(body)} {nth}".encode()).hexdigest(), 16)
        return FAULTS[draw % len(FAULTS)]() if draw // 1000 % 10 < 3 else script(body, nth)

    calm = ask(ScriptedTransport(script), ResponseCache(tmp_path / "calm"), fast, tasks(300, check=read_json))
    answered.clear()
    stormy = ask(ScriptedTransport(faulty), ResponseCache(tmp_path / "stormy"), fast, tasks(300, check=read_json))
    assert not stormy.failures
    # a prose-wrapped answer is a correction round and counts as one; nothing else differs
    assert [a._replace(attempts=0) for a in stormy.answers.values()] == [
        a._replace(attempts=0) for a in calm.answers.values()
    ]
    assert list(stormy.answers) == list(calm.answers)
    assert len(answered) == len(set(answered)) == 300, "no request was answered validly twice"
    assert stormy.usage.retries > 30


def test_tokens_per_minute_are_kept_by_what_replies_really_took(cache: ResponseCache, fast: Backoff) -> None:
    transport = ScriptedTransport()
    ask(transport, cache, fast, tasks(5), tokens_per_minute=110 * 60 * 20, concurrency=1)  # a reply takes 110 tokens
    assert (
        transport.sent_at[-1] - transport.sent_at[0] >= 0.8 * (len(transport.sent_at) - 1) * 0.05
    )  # single starts jitter


def test_a_repeat_is_told_apart_by_the_server(cache: ResponseCache, fast: Backoff) -> None:
    transport = ScriptedTransport()
    ask(transport, cache, fast, [task._replace(key=f"{i}", repeat=i) for i, task in enumerate(tasks(1) * 3)])
    assert [body.get("seed") for body in transport.requests] == [None, 1, 2]
