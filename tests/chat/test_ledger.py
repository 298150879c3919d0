"""The bill has an upper end: worst cases are charged before sending, real prices after, and the budget holds."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from dart.chat.cache import Origin, ResponseCache
from dart.chat.client import ChatClient
from dart.chat.ledger import Ledger, LedgerEntry, ledger_entries, max_prompt_tokens, nano_usd
from dart.chat.request import build_request
from dart.chat.response import Completion
from dart.chat.retry import Backoff
from dart.chat.tasks import Outcome
from dart.core.errors import IncompleteError
from tests.chat.test_resume import start, wait_for
from tests.support.fake_endpoint import ScriptedTransport, echo, endpoint, question, reply, status, tasks

ONE_REPLY = (100 * 1.0 + 10 * 10.0) / 1e6  # what the scripted endpoint charges
ORIGIN = Origin("embedded://test", "asked-model", "s")


def ask(transport: ScriptedTransport, cache: ResponseCache, fast: Backoff, number: int, **changes: Any) -> Outcome[str]:
    client = ChatClient(endpoint(**changes), stage="s", transport=transport, cache=cache, backoff=fast)
    return client.ask(tasks(number, max_corrections=0))


def test_what_was_paid_is_in_the_ledger_and_cached_answers_are_free(cache: ResponseCache, fast: Backoff) -> None:
    for number in (20, 30, 30):
        ask(ScriptedTransport(), cache, fast, number)
    assert ledger_entries(cache) == [LedgerEntry(*ORIGIN, 30, 3000, 300, pytest.approx(30 * ONE_REPLY), 0.0)]


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_budget_is_a_hard_stop_that_keeps_what_came(cache: ResponseCache, fast: Backoff, concurrency: int) -> None:
    transport = ScriptedTransport(latency_s=0.002)
    budget = 20 * ONE_REPLY
    stopped = ask(transport, cache, fast, 50, budget_usd=budget, concurrency=concurrency)
    with pytest.raises(IncompleteError, match="budget_usd"):
        stopped.require_complete("s")
    [line] = ledger_entries(cache)
    assert line.usd <= budget
    assert line.unconfirmed_usd == 0
    # the last request is sent only if its worst case fits, and that is about 64 completion tokens instead of 10
    assert line.usd >= budget - nano_usd(endpoint(), 100, 64) / 1e9
    assert len(stopped.answers) == len(cache) == len(transport.requests) == line.calls

    rest = ask(transport, cache, fast, 50, budget_usd=1.0)
    assert len(rest.answers) == 50
    assert len(transport.requests) == 50, "nothing is paid twice"


def test_a_spent_budget_still_serves_the_cache(cache: ResponseCache, fast: Backoff) -> None:
    ask(ScriptedTransport(), cache, fast, 10)
    transport = ScriptedTransport()
    assert len(ask(transport, cache, fast, 10, budget_usd=0.0).answers) == 10
    assert ask(transport, cache, fast, 11, budget_usd=0.0).failures.keys() == {"t10"}
    assert not transport.requests


def test_a_refused_try_is_free_and_a_lost_reply_counts_at_its_worst(cache: ResponseCache, fast: Backoff) -> None:
    def script(body: dict[str, Any], nth: int) -> httpx.Response | Exception | None:
        if nth > 1:
            return echo(body, nth)
        faults = [status(429), status(500), httpx.ConnectError("x"), httpx.ReadError("x"), None]
        return faults[int(question(body).split()[1])]

    ask(ScriptedTransport(script), cache, fast, 5, timeout_s=0.5)
    [line] = ledger_entries(cache)
    requests = [
        build_request(endpoint(), task.messages, json_object=False, repeat=0, fingerprint=None) for task in tasks(5)
    ]
    worst = [nano_usd(endpoint(), max_prompt_tokens(request), 64) for request in requests]
    assert line.calls == 5
    assert line.unconfirmed_usd == pytest.approx(sum(worst[3:]) / 1e9), "cut and timed out: perhaps billed"


def test_a_reply_that_is_no_answer_is_paid(cache: ResponseCache, fast: Backoff) -> None:
    ask(ScriptedTransport(lambda body, nth: reply("", "stop")), cache, fast, 1)
    assert ledger_entries(cache)[0].calls == 1
    assert len(cache) == 0


def test_two_processes_share_one_budget(cache: ResponseCache) -> None:
    limited = endpoint(budget_usd=3 * nano_usd(endpoint(), 100, 64) / 1e9)
    other = ResponseCache(cache.path)
    request = build_request(
        limited, [{"role": "user", "content": "x" * 84}], json_object=False, repeat=0, fingerprint=None
    )
    assert max_prompt_tokens(request) == 100
    ledgers = [Ledger(cache, limited, ORIGIN), Ledger(other, limited, Origin(*ORIGIN[:2], "another stage"))]
    charged = [ledgers[turn % 2].charge(request) for turn in range(4)]
    assert [most is not None for most in charged] == [True, True, True, False]
    assert charged[0] is not None
    ledgers[0].settle(charged[0], Completion("t", "stop", 100, 10, "m"))
    assert ledgers[1].charge(request) is None, "what was paid counts as well"
    ledgers[1].settle(charged[0], None)
    assert ledgers[1].charge(request) is not None


def test_a_killed_process_leaves_its_requests_charged(tmp_path: Path) -> None:
    stopped: subprocess.Popen[bytes] = start(tmp_path, "out", latency_s=0.2)
    wait_for(tmp_path / "log", 20)
    stopped.send_signal(signal.SIGKILL)
    stopped.wait(timeout=30)
    [line] = ledger_entries(ResponseCache(tmp_path / "answers.sqlite"))
    assert line.unconfirmed_usd > 0
    assert start(tmp_path, "out").wait(timeout=30) == 0
    [after] = ledger_entries(ResponseCache(tmp_path / "answers.sqlite"))
    assert after.unconfirmed_usd == pytest.approx(line.unconfirmed_usd)


def test_no_prompt_is_dearer_than_its_worst_case() -> None:
    text = "naïve façade — 東京 🙂 x"
    request = build_request(
        endpoint(), [{"role": "user", "content": text}], json_object=False, repeat=0, fingerprint=None
    )
    assert max_prompt_tokens(request) >= len(text.encode())


def test_the_ledger_is_not_kept_for_what_is_free(cache: ResponseCache, fast: Backoff) -> None:
    free = {"usd_per_million_prompt_tokens": 0.0, "usd_per_million_completion_tokens": 0.0, "budget_usd": 0.0}
    assert len(ask(ScriptedTransport(), cache, fast, 3, **free).answers) == 3
    assert ledger_entries(cache) == []
