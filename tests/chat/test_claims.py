"""Runs at the same time pay once for each question; who is killed holds nobody up for longer than a lease."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from dart.chat.cache import Origin, ResponseCache
from dart.chat.claims import LEASE_S, Claims, is_alive, process_name
from dart.chat.client import ChatClient
from dart.chat.response import Completion
from dart.chat.retry import Backoff
from tests.chat.test_resume import read_log
from tests.support.fake_endpoint import ScriptedTransport, endpoint, status, tasks

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = 150


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def dead_process() -> str:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return f"{process_name().rpartition(':')[0]}:{ended.pid}:0"


def test_a_claim_is_of_one_process_until_it_gives_it_up(cache: ResponseCache) -> None:
    clock = Clock()
    # of the same living process: two asks
    first, second = Claims(cache, clock), Claims(ResponseCache(cache.path), clock)
    assert first.acquire("k")
    assert first.acquire("k"), "who has it may take it again"
    assert not second.acquire("k")
    second.release(["k"])
    assert not second.acquire("k"), "nobody gives up what is another's"
    first.release(["k"])
    assert second.acquire("k")
    assert not first.acquire("k")
    second.release_all()
    assert first.acquire("k")


def test_a_lease_runs_out_unless_it_is_renewed(cache: ResponseCache) -> None:
    clock = Clock()
    elsewhere = Claims(cache, clock, owner="another machine:1:a")
    here = Claims(ResponseCache(cache.path), clock)
    assert elsewhere.acquire("k")
    clock.now += LEASE_S - 1
    assert not here.acquire("k")
    elsewhere.renew()
    clock.now += LEASE_S - 1
    assert not here.acquire("k")
    clock.now += 2
    assert here.acquire("k")


def test_a_dead_process_on_this_machine_holds_nobody_up(cache: ResponseCache) -> None:
    clock = Clock()
    assert Claims(cache, clock, owner=dead_process()).acquire("k")
    assert Claims(ResponseCache(cache.path), clock).acquire("k")


def test_who_is_alive() -> None:
    assert is_alive(f"{process_name()}:0")
    assert not is_alive(dead_process())
    assert is_alive("another machine:1:0"), "only its lease can tell"
    assert is_alive("batch:abc")


def test_an_answer_that_another_process_asks_for_is_waited_for(cache: ResponseCache, fast: Backoff) -> None:
    """The other one stores its answer while this one waits: nothing is sent."""
    transport = ScriptedTransport(latency_s=0.3)
    client = ChatClient(endpoint(), stage="s", transport=transport, cache=cache, backoff=fast)
    [question, unclaimed] = tasks(2)
    key = client._request(question).key
    other = ResponseCache(cache.path)
    assert Claims(other, owner="another machine:1:a").acquire(key)
    original = transport.script

    def script(body: dict[str, object], nth: int) -> object:
        other.put(key, Completion("theirs", "stop", 1, 1, "m"), Origin("u", "m", "s"))
        return original(body, nth)

    transport.script = script  # type: ignore[assignment]
    outcome = client.ask([question, unclaimed])
    assert [answer.text for answer in outcome.answers.values()] == ["theirs", "answer to question 1"]
    assert len(transport.requests) == 1


def test_what_failed_is_free_for_others(cache: ResponseCache, fast: Backoff) -> None:
    broken = ScriptedTransport(lambda body, nth: status(500))
    assert ChatClient(endpoint(), stage="s", transport=broken, cache=cache, backoff=fast).ask(tasks(2)).failures
    other = ChatClient(
        endpoint(), stage="s", transport=ScriptedTransport(), cache=ResponseCache(cache.path), backoff=fast
    )
    assert len(other.ask(tasks(2)).answers) == 2
    with cache.connection() as connection:
        assert connection.execute("SELECT count(*) FROM claims").fetchone() == (0,)


@pytest.mark.slow
def test_three_processes_pay_for_150_questions_150_times(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.fake_endpoint", str(tmp_path / "answers.sqlite")]
    runs = [
        subprocess.Popen(
            [*command, str(tmp_path / f"log{i}"), str(tmp_path / f"out{i}"), str(QUESTIONS), "0.05"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            stderr=subprocess.DEVNULL,
        )
        for i in range(3)
    ]
    assert [run.wait(timeout=120) for run in runs] == [0, 0, 0]
    paid = Counter(line for i in range(3) for line in read_log(tmp_path / f"log{i}"))
    assert sum(paid.values()) == len(paid) == QUESTIONS
    assert len({(tmp_path / f"out{i}").read_bytes() for i in range(3)}) == 1


def test_a_reply_that_never_ends_gives_its_claim_back(cache: ResponseCache, fast: Backoff) -> None:
    hanging = ScriptedTransport(lambda body, nth: None)
    client = ChatClient(endpoint(timeout_s=0.02), stage="s", transport=hanging, cache=cache, backoff=fast)
    assert client.ask(tasks(1)).failures
    assert Claims(cache).acquire(client._request(tasks(1)[0]).key)
