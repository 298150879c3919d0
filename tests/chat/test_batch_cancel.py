"""A batch that is no longer wanted: stopped at the provider, its answers kept, its rest free to be asked again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dart.chat import batch
from dart.chat.batch_cancel import cancel_batch, endpoint_of, open_batches
from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.chat.ledger import ledger_entries
from dart.chat.retry import Backoff
from dart.cli.app import main
from dart.core.errors import ChatError
from dart.core.schema.profile import Endpoint
from tests.chat.test_claims import dead_process
from tests.support.fake_batches import FakeBatches, running
from tests.support.fake_endpoint import endpoint, tasks

ROOT = Path(__file__).resolve().parents[2]
NUMBER = 40
QUICKLY = (0.01, 0.02)


class Killed(BaseException):
    """Stands for kill -9: no handler of the code under test sees it."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBatches]:
    monkeypatch.setenv("DART_BATCH", "127.0.0.1")
    monkeypatch.setattr(batch, "POLL_S", QUICKLY)
    monkeypatch.setattr(batch.BatchFetcher.__init__, "__defaults__", (QUICKLY,))
    state = FakeBatches()
    state.looks = 1_000_000  # it never ends by itself
    with running(state):
        yield state


def config(server: FakeBatches) -> Endpoint:
    return endpoint(base_url=server.base_url)


def submit_and_die(server: FakeBatches, cache: ResponseCache, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """A run that is killed while it calls `moment` of the batch interface."""

    def dying(*arguments: Any) -> Any:
        raise Killed

    with monkeypatch.context() as dies:
        dies.setattr(batch.BatchApi, moment, dying)
        dies.setattr(batch, "process_name", lambda: dead_process().rpartition(":")[0])
        with pytest.raises(Killed):
            ChatClient(config(server), stage="s", cache=cache).ask(tasks(NUMBER))


def tables_are_empty(cache: ResponseCache) -> bool:
    with cache.connection() as connection:
        tables = ("batches", "batch_requests", "claims")
        return all(connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,) for table in tables)


@pytest.mark.parametrize("answered", [0.0, 0.5, 1.0])
def test_what_was_answered_is_kept_and_the_rest_is_asked_anew(
    answered: float, server: FakeBatches, cache: ResponseCache, fast: Backoff, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.keep = answered
    submit_and_die(server, cache, monkeypatch, "get")
    [entry] = open_batches(cache)
    assert (entry.n_requests, entry.batch.remote_id) == (NUMBER, "batch_0")
    ended = cancel_batch(entry, endpoint_of(entry, [None, config(server)]), cache, QUICKLY)
    kept = round(answered * NUMBER)
    assert ended == ("cancelled", kept, NUMBER - kept)
    assert server.cancelled == ["batch_0"]
    assert len(cache) == kept
    assert tables_are_empty(cache)
    spent = ledger_entries(cache)
    assert sum(line.calls for line in spent) == kept
    assert sum(line.unconfirmed_usd for line in spent) == 0, "the rest is not charged"
    monkeypatch.delenv("DART_BATCH")
    outcome = ChatClient(config(server), stage="s", cache=cache, backoff=fast).ask(tasks(NUMBER))
    assert len(outcome.answers) == NUMBER
    assert sorted(server.paid.values()) == [1] * NUMBER, "nothing is paid twice"
    assert len(server.online) == NUMBER - kept


def test_a_batch_that_has_ended_meanwhile_is_collected(
    server: FakeBatches, cache: ResponseCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit_and_die(server, cache, monkeypatch, "get")
    server.left["batch_0"] = 0
    [entry] = open_batches(cache)
    assert cancel_batch(entry, config(server), cache, QUICKLY) == ("completed", NUMBER, 0)
    assert not server.cancelled
    assert (len(cache), tables_are_empty(cache)) == (NUMBER, True)


@pytest.mark.parametrize(("moment", "status"), [("upload", "never submitted"), ("create", "never submitted")])
def test_a_batch_that_never_got_there_is_forgotten(
    moment: str, status: str, server: FakeBatches, cache: ResponseCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit_and_die(server, cache, monkeypatch, moment)
    [entry] = open_batches(cache)
    assert cancel_batch(entry, config(server), cache, QUICKLY) == (status, 0, NUMBER)
    assert tables_are_empty(cache)
    assert not server.batched


def test_a_provider_that_does_not_answer_leaves_everything_as_it_was(
    server: FakeBatches, cache: ResponseCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit_and_die(server, cache, monkeypatch, "get")
    [entry] = open_batches(cache)
    server.fails["/batches/batch_0"] = 500
    with pytest.raises(ChatError, match="does not answer"):
        cancel_batch(entry, config(server), cache, QUICKLY)
    assert open_batches(cache) == [entry]


def test_a_run_that_waits_is_stopped_first(
    server: FakeBatches, cache: ResponseCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit_and_die(server, cache, monkeypatch, "get")
    [entry] = open_batches(cache)
    attended = entry._replace(batch=entry.batch._replace(owner=batch._submitter()))
    with pytest.raises(ChatError, match=r"waits for batch .* stop that run first"):
        cancel_batch(attended, config(server), cache, QUICKLY)
    assert not server.cancelled
    with pytest.raises(ChatError, match="is no party of this profile"):
        endpoint_of(entry, [None, endpoint(base_url="http://127.0.0.1:1/v1")])


def test_the_commands_list_and_cancel(
    server: FakeBatches, cache: ResponseCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    server.keep = 0.5
    submit_and_die(server, cache, monkeypatch, "get")
    monkeypatch.setenv("DART_CACHE_DIR", str(cache.path.parent))
    monkeypatch.setattr(ResponseCache, "FILE", cache.path.name)
    run = tmp_path / "run"
    (run / "profiles").mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", run)
    profile = yaml.safe_load((ROOT / "profiles/embedded.yaml").read_text(encoding="utf-8"))
    profile["judge"] |= {"base_url": server.base_url, "model": config(server).model}
    (run / "profiles/embedded.yaml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    monkeypatch.chdir(run)
    [entry] = open_batches(cache)
    assert main(["cache", "batches"]) == 0
    assert f"{entry.batch.name}: {NUMBER} requests, batch_0, asked-model at" in capsys.readouterr().out
    assert main(["cache", "cancel", "none"]) == 1
    assert "no open batch is called none" in capsys.readouterr().err
    assert main(["cache", "cancel", "all"]) == 0
    assert f"cancelled; {NUMBER // 2} answers kept, {NUMBER // 2} requests are free" in capsys.readouterr().out
    assert main(["cache", "batches"]) == 0
    assert "no batch is open" in capsys.readouterr().out
