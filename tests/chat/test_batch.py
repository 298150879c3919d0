"""Batches: the same answers under the same keys, half the price, and nothing asked twice whatever happens between."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from dart.chat import batch
from dart.chat.cache import ResponseCache
from dart.chat.claims import Claims
from dart.chat.client import ChatClient
from dart.chat.ledger import ledger_entries
from dart.chat.retry import Backoff
from dart.chat.tasks import Outcome, Rejected, Task
from dart.core.errors import ChatError
from tests.chat.test_claims import dead_process
from tests.support.fake_batches import FakeBatches, completion, echo, running
from tests.support.fake_endpoint import endpoint, tasks

NUMBER = 60
ONE_REPLY = (100 * 1.0 + 10 * 10.0) / 1e6


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBatches]:
    monkeypatch.setenv("DART_BATCH", "127.0.0.1")
    monkeypatch.setattr(batch, "POLL_S", (0.01, 0.02))
    monkeypatch.setattr(batch.BatchFetcher.__init__, "__defaults__", ((0.01, 0.02),))
    with running(FakeBatches()) as state:
        yield state


def ask(
    server: FakeBatches, cache: ResponseCache, fast: Backoff, asked: list[Task[Any]], **changes: Any
) -> Outcome[Any]:
    config = endpoint(base_url=server.base_url, **changes)
    return ChatClient(config, stage="s", cache=cache, backoff=fast).ask(asked)


def even(text: str) -> str:
    """Rejects the first answer to every third question."""
    number = text.rpartition(" ")[2]
    if number.isdigit() and int(number) % 3 == 0:
        raise Rejected("This will not do.")
    return text


@pytest.mark.usefixtures("server")
def test_outs_keys_and_costs_are_those_of_asking_online(
    server: FakeBatches, cache: ResponseCache, fast: Backoff, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tasks(NUMBER, check=even)
    batched = ask(server, cache, fast, asked)
    assert sum(server.batched.values()) == NUMBER + NUMBER // 3, "corrections are a batch of their own"
    assert not server.online
    monkeypatch.delenv("DART_BATCH")
    other = ResponseCache(tmp_path / "other.sqlite")
    online = ask(server, other, fast, asked)
    assert batched.answers == online.answers
    assert batched.usage.cost == online.usage.cost, "what it costs without a cache is the list price"
    keys = "SELECT key, answer FROM answers ORDER BY key"
    with cache.connection() as one, other.connection() as two:
        assert one.execute(keys).fetchall() == two.execute(keys).fetchall()
    [half], [whole] = ledger_entries(cache), ledger_entries(other)
    assert half._replace(usd=2 * half.usd) == whole._replace(usd=pytest.approx(whole.usd))
    assert half.usd == pytest.approx((NUMBER + NUMBER // 3) * ONE_REPLY / 2)


class Killed(BaseException):
    """Stands for kill -9: no handler of the code under test sees it."""


@pytest.mark.parametrize("moment", ["upload", "create", "get", "results"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("batches_again", [True, False])
def test_killed_between_submit_and_collect_nothing_is_asked_twice(
    moment: str, after: bool, batches_again: bool, server: FakeBatches, cache: ResponseCache, fast: Backoff,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    original = getattr(batch.BatchApi, moment)

    def dying(*arguments: Any) -> Any:
        if after:
            original(*arguments)
        raise Killed

    with monkeypatch.context() as dies:
        dies.setattr(batch.BatchApi, moment, dying)
        dies.setattr(batch, "process_name", lambda: dead_process().rpartition(":")[0])
        with pytest.raises(Killed):
            ask(server, cache, fast, tasks(NUMBER))
    if not batches_again:  # the next run asks one by one, and still collects
        monkeypatch.delenv("DART_BATCH")
    outcome = ask(server, ResponseCache(cache.path), fast, tasks(NUMBER))
    assert len(outcome.answers) == NUMBER
    assert sorted(server.paid.values()) == [1] * NUMBER
    [line] = ledger_entries(cache)
    assert line.calls == NUMBER
    assert line.unconfirmed_usd == 0
    with cache.connection() as connection:
        for table in ("batches", "batch_requests", "claims"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


def test_a_gateway_error_after_the_batch_was_accepted_submits_it_once(
    server: FakeBatches, cache: ResponseCache, fast: Backoff
) -> None:
    server.fails["/batches"] = 502
    with pytest.raises(ChatError, match="nothing is asked twice"):
        ask(server, cache, fast, tasks(NUMBER))
    assert len(ask(server, cache, fast, tasks(NUMBER)).answers) == NUMBER
    assert sorted(server.paid.values()) == [1] * NUMBER
    assert len(server.batches) == 1


def test_a_refused_batch_costs_nothing_and_says_the_way_out(
    server: FakeBatches, cache: ResponseCache, fast: Backoff, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.fails["/batches"] = 404
    with pytest.raises(ChatError, match="DART_BATCH"):
        ask(server, cache, fast, tasks(NUMBER))
    assert ledger_entries(cache)[0].unconfirmed_usd == 0
    server.status = "failed"
    with pytest.raises(ChatError, match="model_not_batchable"):
        ask(server, cache, fast, tasks(NUMBER))
    assert ledger_entries(cache)[0].unconfirmed_usd == 0
    monkeypatch.delenv("DART_BATCH")
    assert len(ask(server, cache, fast, tasks(NUMBER)).answers) == NUMBER


def test_what_an_expired_batch_did_not_answer_is_submitted_again(
    server: FakeBatches, cache: ResponseCache, fast: Backoff
) -> None:
    server.status, server.keep = "expired", 0.5
    assert len(ask(server, cache, fast, tasks(NUMBER)).answers) == NUMBER
    assert sorted(server.paid.values()) == [1] * NUMBER
    assert len(server.batches) > 1


def test_what_a_batch_cannot_answer_is_asked_one_by_one(
    server: FakeBatches, cache: ResponseCache, fast: Backoff
) -> None:
    cut = {f"question {i}" for i in range(5)}

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        question = body["messages"][-1]["content"]
        first = question in cut and not server.online[question]
        return completion("half" if first else f"answer to {question}", "length" if first else "stop")

    server.answer = answer
    assert len(ask(server, cache, fast, tasks(NUMBER)).answers) == NUMBER
    assert set(server.online) == cut
    assert len(server.batches) == 1


def test_a_budget_holds_for_batches(server: FakeBatches, cache: ResponseCache, fast: Backoff) -> None:
    outcome = ask(server, cache, fast, tasks(NUMBER), budget_usd=40 * ONE_REPLY)
    [line] = ledger_entries(cache)
    assert line.usd + line.unconfirmed_usd <= 40 * ONE_REPLY
    assert 0 < len(outcome.answers) < NUMBER


def test_a_few_requests_are_asked_one_by_one_and_claimed_ones_not_at_all(
    server: FakeBatches, cache: ResponseCache, fast: Backoff
) -> None:
    ask(server, cache, fast, tasks(batch.MIN_REQUESTS - 1))
    assert not server.batches
    client = ChatClient(endpoint(base_url=server.base_url), stage="s", cache=cache, backoff=fast)
    claimed = [client._request(task).key for task in tasks(NUMBER)[-10:]]
    other = Claims(ResponseCache(cache.path), owner="another machine:1:a")
    assert all(other.acquire(key) for key in claimed)

    one_at_a_time = threading.Lock()  # the server answers in several threads, a connection is for one

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        with one_at_a_time:
            other.release(claimed)  # once the batch is there
        return echo(body)

    server.answer = answer
    client.ask(tasks(NUMBER))
    lines = [json.loads(line) for line in server.files["file-0"].splitlines()]
    assert {line["custom_id"] for line in lines}.isdisjoint(claimed)
    assert sorted(server.paid.values()) == [1] * NUMBER
