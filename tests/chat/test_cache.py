"""The cache keeps what was paid for: complete answers only, across processes, whatever happens to them."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from dart.chat.cache import Origin, ResponseCache
from dart.chat.response import Completion
from dart.core.errors import ChatError

ORIGIN = Origin("https://host.example/v1", "m", "distill")
ANSWER = Completion("text ü", "stop", 3, 4, "m-1")


def test_what_is_put_is_got_in_another_connection(cache: ResponseCache) -> None:
    assert cache.get("k") is None
    assert cache.put("k", ANSWER, ORIGIN) == ANSWER
    assert ResponseCache(cache.path).get("k") == ANSWER
    assert len(cache) == 1


def test_the_first_answer_stands(cache: ResponseCache) -> None:
    cache.put("k", ANSWER, ORIGIN)
    assert cache.put("k", ANSWER._replace(text="later"), ORIGIN) == ANSWER


@pytest.mark.parametrize(
    "incomplete",
    [ANSWER._replace(finish_reason="length"), ANSWER._replace(text=" \n"), ANSWER._replace(finish_reason="error")],
)
def test_an_incomplete_answer_is_not_stored(cache: ResponseCache, incomplete: Completion) -> None:
    with pytest.raises(ValueError, match="only complete answers"):
        cache.put("k", incomplete, ORIGIN)
    assert cache.get("k") is None


def test_forgotten_answers_are_asked_again(cache: ResponseCache) -> None:
    for key in "abc":
        cache.put(key, ANSWER, ORIGIN)
    cache.delete(["a", "c"])
    assert [cache.get(key) for key in "abc"] == [None, ANSWER, None]


def test_it_is_a_write_ahead_log_of_plain_json(cache: ResponseCache) -> None:
    cache.put("k", ANSWER, ORIGIN)
    row = sqlite3.connect(cache.path).execute("SELECT key, base_url, model, stage, answer FROM answers").fetchone()
    assert row[:4] == ("k", *ORIGIN)
    assert row[4].startswith("{")
    assert sqlite3.connect(cache.path).execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "deep" / "er"))
    assert ResponseCache().path == tmp_path / "deep" / "er" / "answers.sqlite"
    assert len(ResponseCache()) == 0
    monkeypatch.delenv("DART_CACHE_DIR")
    assert ResponseCache().path.parent.name in ("dart", "Cache")


def test_a_file_that_is_not_a_cache_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    path.write_bytes(b"this is not a database, and long enough to be looked at" * 50)
    with pytest.raises(ChatError, match="DART_CACHE_DIR"):
        ResponseCache(path).get("k")
    folder = tmp_path / "file"
    folder.write_text("")
    with pytest.raises(ChatError, match="DART_CACHE_DIR"):
        ResponseCache(folder / "answers.sqlite").get("k")


def test_a_newer_layout_is_refused(cache: ResponseCache) -> None:
    cache.put("k", ANSWER, ORIGIN)
    cache.close()
    with sqlite3.connect(cache.path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ChatError, match="layout 99"):
        cache.get("k")


WRITER = """
import sys
from pathlib import Path
from dart.chat.cache import Origin, ResponseCache
from dart.chat.response import Completion
cache = ResponseCache(Path(sys.argv[1]))
for i in range(200):
    stands = cache.put(f"shared{i}", Completion(sys.argv[2], "stop", 1, 1, "m"), Origin("u", "m", "s"))
    cache.put(f"own{sys.argv[2]}{i}", stands, Origin("u", "m", "s"))
"""


def test_processes_that_open_and_write_one_new_file_together(cache: ResponseCache) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(cache.path), name]) for name in ("a", "b", "c")]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    assert len(cache) == 200 + 3 * 200
    for i in range(200):
        stands = cache.get(f"shared{i}")
        assert {cache.get(f"own{name}{i}") for name in "abc"} == {stands}
