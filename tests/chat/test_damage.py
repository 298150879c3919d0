"""A cache one can trust: whatever is damaged is forgotten and asked again, and the rest is saved."""

from __future__ import annotations

import json
import random
import sqlite3
from pathlib import Path

import pytest

from dart.chat import archive
from dart.chat.archive import Selection
from dart.chat.cache import Origin, ResponseCache
from dart.chat.client import ChatClient
from dart.chat.repair import verify
from dart.chat.response import Completion
from dart.chat.retry import Backoff
from dart.cli.app import main
from dart.core.errors import ChatError, DataError
from tests.support.fake_endpoint import ScriptedTransport, endpoint, question, reply, tasks

ORIGIN = Origin("https://host.example/v1", "m", "distill")
ANSWER = Completion("settle the matter", "stop", 3, 4, "m-1")

OLD_TABLE = """
CREATE TABLE answers (key TEXT PRIMARY KEY, base_url TEXT NOT NULL, model TEXT NOT NULL, stage TEXT NOT NULL,
stored_at INTEGER NOT NULL, answer TEXT NOT NULL)
"""

DAMAGE = {
    "another word": "UPDATE answers SET answer = replace(answer, 'the', 'XXX') WHERE key = 'k'",
    "no JSON": "UPDATE answers SET answer = substr(answer, 3) WHERE key = 'k'",
    "another field": "UPDATE answers SET answer = replace(answer, 'model', 'mobel') WHERE key = 'k'",
    "no UTF-8": "UPDATE answers SET answer = CAST(x'7bff' || substr(answer, 2) AS TEXT) WHERE key = 'k'",
    "a number for a text": "UPDATE answers SET answer = 5 WHERE key = 'k'",
    "deep nesting": "UPDATE answers SET answer = replace(printf('%100000s', '['), ' ', '[') WHERE key = 'k'",
}


@pytest.mark.parametrize("with_checksum", [True, False])
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_row_is_forgotten_and_everything_else_goes_on(
    kind: str, with_checksum: bool, cache: ResponseCache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if kind == "another word" and not with_checksum:
        return  # what only a checksum can see
    for key in ("k", "whole"):
        cache.put(key, ANSWER, ORIGIN)
    with cache.connection() as connection:
        connection.execute(DAMAGE[kind])
        if not with_checksum:
            connection.execute("DELETE FROM checksums")
    assert [count.answers for count in archive.answer_counts(cache)] == [2]
    # "whole" and "k" are no request keys, so an export leaves them out as well
    assert archive.export(cache, tmp_path / "a.jsonl", Selection()).damaged == 2
    assert cache.get("k") is None
    assert "asked again" in caplog.text
    assert "settle" not in caplog.text
    assert cache.get("whole") == ANSWER
    assert len(cache) == 1
    cache.put("k", ANSWER, ORIGIN)
    assert cache.get("k") == ANSWER


def test_verify_removes_what_is_damaged(cache: ResponseCache) -> None:
    for key in "abk":
        cache.put(key, ANSWER, ORIGIN)
    with cache.connection() as connection:
        connection.execute(DAMAGE["another word"])
        connection.execute("DELETE FROM checksums WHERE key = 'a'")
    assert verify(cache) == (2, 1, 1, None)
    assert verify(cache) == (2, 0, 0, None)
    assert [cache.get(key) for key in "abk"] == [ANSWER, ANSWER, None]


def test_a_cache_of_an_older_version_is_read_on_and_shared_with_it(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    old = sqlite3.connect(path, isolation_level=None)
    old.execute(OLD_TABLE)
    insert = "INSERT INTO answers VALUES (?, ?, ?, ?, 1, ?)"
    old.execute(insert, ("first", *ORIGIN, json.dumps(ANSWER._asdict())))
    negative = ANSWER._replace(prompt_tokens=-(2**40))
    old.execute(insert, ("negative", *ORIGIN, json.dumps(negative._asdict())))
    old.execute("PRAGMA user_version = 1")
    cache = ResponseCache(path)
    assert cache.get("first") == ANSWER
    assert cache.get("negative") == ANSWER._replace(prompt_tokens=0, completion_tokens=0), "paid, so never lost"
    # the older version goes on: it writes without checksums, and replaces rows
    old.execute(insert, ("later", *ORIGIN, json.dumps(ANSWER._asdict())))
    old.execute("DELETE FROM answers WHERE key = 'first'")
    old.execute(insert, ("first", *ORIGIN, json.dumps(ANSWER._replace(text="again")._asdict())))
    assert cache.get("later") == ANSWER
    assert cache.get("first") == ANSWER._replace(text="again")
    assert old.execute("PRAGMA user_version").fetchone() == (1,)
    with cache.connection() as connection:
        connection.execute("UPDATE answers SET answer = replace(answer, 'the', 'XXX') WHERE key = 'negative'")
    assert cache.get("negative") is None, "what was there at first has a checksum"


@pytest.mark.parametrize("seed", range(6))
def test_flipped_bytes_cost_answers_and_never_the_cache(seed: int, tmp_path: Path, fast: Backoff) -> None:
    """30 bytes anywhere behind the table of contents: every answer that is served is the one that was stored."""
    cache = ResponseCache(tmp_path / "answers.sqlite")
    asked = tasks(150, max_corrections=0)
    transport = ScriptedTransport(lambda body, nth: reply(f"answer to {question(body)}" + " at length" * 90))
    client = ChatClient(endpoint(), stage="s", transport=transport, cache=cache, backoff=fast)
    before = client.ask(asked).answers
    with cache.connection() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    cache.close()
    content = bytearray(cache.path.read_bytes())
    rng = random.Random(seed)
    for _ in range(30):
        content[rng.randrange(4096, len(content))] ^= 1 << rng.randrange(8)
    cache.path.write_bytes(content)
    result = verify(cache)
    assert result.answers >= 100, "most answers are saved"
    assert result.moved_to is None or result.moved_to.is_file()
    assert client.ask(asked).answers == before
    assert len(transport.requests) <= 150 + 50


def test_an_error_of_the_output_file_is_not_one_of_the_cache(filled: ResponseCache, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="Nothing is wrong with the answer cache"):
        archive.export(filled, tmp_path / "file" / "x.jsonl", Selection())
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    with pytest.raises(DataError, match="is a folder"):
        archive.export(filled, folder, Selection())
    assert (folder / "thesis.txt").read_text() == "precious"


def test_a_file_that_is_no_cache_names_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    path.write_bytes(b"not a database at all" * 1000)
    with pytest.raises(ChatError, match="dart cache verify"):
        ResponseCache(path).get("k")
    assert verify(ResponseCache(path)).answers == 0
    assert ResponseCache(path).get("k") is None


def test_the_command(
    filled: ResponseCache, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DART_CACHE_DIR", str(filled.path.parent))
    with filled.connection() as connection:
        connection.execute("UPDATE answers SET answer = 'x' WHERE stage = 'distill'")
    assert main(["cache", "stats"]) == 0
    assert main(["cache", "verify"]) == 0
    assert "3 answers are whole, 5 were damaged" in capsys.readouterr().out
