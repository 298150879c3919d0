"""An exported archive reproduces a run without a key, and nothing is lost or half-done on the way."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from dart.chat import archive
from dart.chat.archive import ExportResult, ImportResult, Selection
from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.chat.retry import Backoff
from dart.core.errors import DataError
from tests.support.fake_endpoint import ScriptedTransport, endpoint, tasks


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.xz", "a.jsonl.bz2"])
def test_an_archive_reproduces_a_run_without_a_call(
    name: str, filled: ResponseCache, tmp_path: Path, fast: Backoff
) -> None:
    assert archive.export(filled, tmp_path / name, Selection()) == ExportResult(8, 0)
    other = ResponseCache(tmp_path / "other" / "answers.sqlite")
    assert archive.load(other, tmp_path / name) == ImportResult(8, 0, 0)
    assert archive.load(other, tmp_path / name) == ImportResult(0, 8, 0)
    transport = ScriptedTransport()
    client = ChatClient(endpoint(model="teacher"), stage="s", transport=transport, cache=other, backoff=fast)
    again = client.ask(tasks(5))
    here = ChatClient(endpoint(model="teacher"), stage="s", transport=transport, cache=filled, backoff=fast)
    assert again.answers == here.ask(tasks(5)).answers
    assert not transport.requests


def test_equal_answers_are_equal_bytes(filled: ResponseCache, tmp_path: Path) -> None:
    archive.export(filled, tmp_path / "one.jsonl.gz", Selection())
    other = ResponseCache(tmp_path / "other.sqlite")
    archive.load(other, tmp_path / "one.jsonl.gz")
    archive.export(other, tmp_path / "two.jsonl.gz", Selection())
    assert (tmp_path / "one.jsonl.gz").read_bytes() == (tmp_path / "two.jsonl.gz").read_bytes()


def test_own_answers_stand(filled: ResponseCache, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    archive.export(filled, file, Selection(model="judge"))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    changed = [{**line, "text": "another"} for line in lines[:2]] + lines[2:]
    file.write_text("".join(json.dumps(line) + "\n" for line in changed))
    assert archive.load(filled, file) == ImportResult(0, 1, 2)
    assert filled.get(lines[0]["key"]).text != "another"  # type: ignore[union-attr]


BROKEN = {
    "not JSON": "{",
    "wrong key": json.dumps({"key": "x"}),
    "no answer": None,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_damaged_line_is_named_and_nothing_is_imported(kind: str, filled: ResponseCache, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    archive.export(filled, file, Selection())
    lines = file.read_text().splitlines()
    lines[4] = BROKEN[kind] or json.dumps({**json.loads(lines[4]), "finish_reason": "error"})
    file.write_text("\n".join(lines))
    other = ResponseCache(tmp_path / "other.sqlite")
    with pytest.raises(DataError, match=r"a\.jsonl:5"):
        archive.load(other, file)
    assert len(other) == 0


def test_a_cut_or_missing_archive_is_named(filled: ResponseCache, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl.gz"
    archive.export(filled, file, Selection())
    file.write_bytes(file.read_bytes()[:-20])
    other = ResponseCache(tmp_path / "other.sqlite")
    for path in (file, tmp_path / "none.jsonl.gz"):
        with pytest.raises(DataError, match=path.name):
            archive.load(other, path)
    file.write_bytes(gzip.compress(b"\xff\xfe"))
    with pytest.raises(DataError, match=r"a\.jsonl\.gz"):
        archive.load(other, file)
    assert len(other) == 0


def test_pruning_needs_a_selection_and_says_first_what_it_would_do(filled: ResponseCache) -> None:
    with pytest.raises(DataError, match="Nothing is selected"):
        archive.prune(filled, Selection(), dry_run=False)
    assert archive.prune(filled, Selection(stage="distill"), dry_run=True) == 5
    assert len(filled) == 8
    assert archive.prune(filled, Selection(older_than_days=1), dry_run=False) == 0
    assert archive.prune(filled, Selection(model="teacher", stage="distill"), dry_run=False) == 5
    assert [line.model for line in archive.answer_counts(filled)] == ["judge"]
