"""The answer cache counted, exported, imported and pruned: what `dart cache` does.

An exported archive lets a reader re-run an experiment without a key: JSON lines in a fixed order, compressed, so that
the same answers are the same bytes. It holds keys and answers, no questions: who has the data can ask what was asked.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from pydantic import Field, ValidationError

from dart.chat.cache import ResponseCache
from dart.chat.response import Completion
from dart.core.errors import DataError
from dart.core.files import replacing
from dart.core.records import Record
from dart.core.refusal import RefusalKind

DAY_S = 86_400
_OPENERS: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}


class Selection(NamedTuple):
    """Which answers; None selects all."""

    model: str | None = None
    base_url: str | None = None
    stage: str | None = None  # the stage that asked first
    older_than_days: float | None = None

    def where(self) -> tuple[str, list[Any]]:
        """As an SQL condition and its values."""
        columns = {"model": self.model, "base_url": self.base_url, "stage": self.stage}
        conditions = [f"{column} = ?" for column, value in columns.items() if value is not None]
        values: list[Any] = [value for value in columns.values() if value is not None]
        if self.older_than_days is not None:
            conditions.append("stored_at < ?")
            values.append(time.time() - self.older_than_days * DAY_S)
        return " AND ".join(conditions) or "1", values


class AnswerCount(NamedTuple):
    """Answers of one origin, and their tokens."""

    base_url: str
    model: str
    stage: str
    answers: int
    prompt_tokens: int
    completion_tokens: int


class ImportResult(NamedTuple):
    """Answers that an import added, had already, or had with another text (the own one stands)."""

    added: int
    identical: int
    conflicting: int


class ArchiveLine(Record):
    """One line of an archive."""

    key: str = Field(pattern=r"^[0-9a-f]{64}$")
    base_url: str
    model: str
    stage: str
    text: str
    finish_reason: str | None
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)
    served_model: str
    refusal: str | None = None
    refusal_kind: RefusalKind | None = None
    reasoning_characters: int = Field(default=0, ge=0)

    def completion(self) -> Completion:
        counts = self.prompt_tokens, self.completion_tokens
        return Completion(
            self.text, self.finish_reason, *counts, self.served_model, self.refusal, self.refusal_kind,
            self.reasoning_characters,
        )  # fmt: skip


def answer_counts(cache: ResponseCache) -> list[AnswerCount]:
    """How many answers the cache holds, by origin."""
    query = """
        SELECT base_url, model, stage, count(*),
            sum(json_extract(answer, '$.prompt_tokens')), sum(json_extract(answer, '$.completion_tokens'))
        FROM answers GROUP BY base_url, model, stage ORDER BY base_url, model, stage
    """
    with cache.connection() as connection:
        return [AnswerCount(*row) for row in connection.execute(query)]


def export(cache: ResponseCache, path: Path, selection: Selection) -> int:
    """Write the selected answers to `path` (.jsonl, or compressed: .gz, .xz, .bz2); returns their number.

    The file appears when it is complete; the date of an answer stays out of it, so equal answers are equal bytes.
    """
    condition, values = selection.where()
    columns = "key, base_url, model, stage, answer"
    count = 0
    with cache.connection() as connection, replacing(path) as temporary, _open_archive(temporary) as stream:
        for key, base_url, model, stage, answer in connection.execute(
            f"SELECT {columns} FROM answers WHERE {condition} ORDER BY base_url, model, stage, key", values
        ):
            fields = Completion(**json.loads(answer)).stored()
            line = ArchiveLine(
                key=key, base_url=base_url, model=model, stage=stage, served_model=fields.pop("model"), **fields
            )
            stream.write(json.dumps(line.model_dump(exclude_defaults=True), sort_keys=True) + "\n")
            count += 1
    return count


def load(cache: ResponseCache, path: Path) -> ImportResult:
    """Add the answers of an archive; all of them or, if a line is damaged, none.

    Raises:
        DataError: the file is missing, not an archive, or has a damaged line (named).
    """
    added = identical = conflicting = 0
    complete = False
    with cache.connection() as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for line in _read_lines(path):
                text = json.dumps(line.completion().stored(), sort_keys=True)
                row = connection.execute("SELECT answer FROM answers WHERE key = ?", (line.key,)).fetchone()
                if row is None:
                    origin = (line.base_url, line.model, line.stage)
                    connection.execute(
                        "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?)", (line.key, *origin, int(time.time()), text)
                    )
                    added += 1
                elif row[0] == text:
                    identical += 1
                else:
                    conflicting += 1
            complete = True
        finally:
            connection.execute("COMMIT" if complete else "ROLLBACK")
    return ImportResult(added, identical, conflicting)


def prune(cache: ResponseCache, selection: Selection, *, dry_run: bool) -> int:
    """Remove the selected answers and return their number; a dry run only counts them.

    Raises:
        DataError: nothing is selected; a cache is not emptied by accident.
    """
    if selection == Selection():
        raise DataError("Nothing is selected: name a model, address, stage or age. To empty the cache delete its file.")
    condition, values = selection.where()
    with cache.connection() as connection:
        count = int(connection.execute(f"SELECT count(*) FROM answers WHERE {condition}", values).fetchone()[0])
        if not dry_run:
            connection.execute(f"DELETE FROM answers WHERE {condition}", values)
            connection.execute("VACUUM")
    return count


@contextmanager
def _open_archive(path: Path) -> Iterator[TextIO]:
    with ExitStack() as files:
        raw = files.enter_context(path.open("wb"))
        compressed: Any = raw
        if path.suffix == ".gz":  # without name and time, which gzip.open would write
            compressed = files.enter_context(gzip.GzipFile("", "wb", fileobj=raw, mtime=0))
        elif path.suffix in _OPENERS:
            compressed = files.enter_context(_OPENERS[path.suffix](raw, "wb"))
        yield files.enter_context(io.TextIOWrapper(compressed, encoding="utf-8", newline="\n"))


def _read_lines(path: Path) -> Iterator[ArchiveLine]:
    opener = _OPENERS.get(path.suffix, open)
    number = 0
    try:
        with opener(path, "rt", encoding="utf-8") as stream:
            for number, text in enumerate(stream, start=1):
                line = ArchiveLine.model_validate_json(text)
                if line.completion().malformed_reason is not None:
                    raise DataError(
                        f"{path}:{number}: {line.completion().malformed_reason}: not an answer. Nothing was imported."
                    )
                yield line
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "line"
        raise DataError(
            f"{path}:{number}: not an exported answer: {where}: {first['msg']}. Nothing was imported."
        ) from None
    except (OSError, EOFError, UnicodeDecodeError, lzma.LZMAError) as error:
        reason = getattr(error, "strerror", None) or f"damaged or not what its suffix says ({error})"
        raise DataError(f"{path}: {reason}. Nothing was imported.") from None
