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
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from pydantic import Field, ValidationError

from dart.chat.cache import DamagedAnswer, Origin, ResponseCache, insert, read_answer
from dart.chat.response import Completion
from dart.chat.usage import MAX_TOKENS
from dart.core.errors import DataError
from dart.core.files import replacing
from dart.core.records import Record
from dart.core.refusal import RefusalKind

DAY_S = 86_400
# An archive comes from somebody else: a line may be as long as an answer can be, the whole as large as a disk takes.
MAX_LINE_BYTES = 16 << 20
MAX_ARCHIVE_BYTES = 64 << 30  # unpacked
MAX_XZ_MEMORY = 256 << 20  # which its header may ask for; `xz -9` needs 65 MiB
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
    prompt_tokens: int = Field(ge=0, le=MAX_TOKENS)
    completion_tokens: int = Field(ge=0, le=MAX_TOKENS)
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


class ExportResult(NamedTuple):
    """Answers that an export wrote, and damaged ones that it left out."""

    written: int
    damaged: int


class StoredAnswer(NamedTuple):
    """A row as it is in the file; `completion` is None if it is damaged."""

    key: str
    origin: Origin
    completion: Completion | None


def stored_answers(cache: ResponseCache, selection: Selection) -> Iterator[StoredAnswer]:
    """The selected rows in a fixed order, one at a time; every row can be read, whatever it holds."""
    condition, values = selection.where()
    columns = ", ".join(f"CAST({name} AS BLOB)" for name in ("key", "base_url", "model", "stage", "answer"))
    query = f"""
        SELECT {columns}, (SELECT sha256 FROM checksums WHERE checksums.key = answers.key) FROM answers
        WHERE {condition} ORDER BY base_url, model, stage, key
    """
    with cache.connection() as connection:
        for key, base_url, model, stage, answer, stored_checksum in connection.execute(query, values):
            name, *origin = (value.decode("utf-8", "replace") for value in (key, base_url, model, stage))
            completion = None
            with suppress(DamagedAnswer):
                completion = read_answer(name, answer, stored_checksum)
            yield StoredAnswer(name, Origin(*origin), completion)


def answer_counts(cache: ResponseCache) -> list[AnswerCount]:
    """How many answers the cache holds, by origin; damaged ones count as answers without tokens."""
    totals: dict[Origin, list[int]] = {}
    for row in stored_answers(cache, Selection()):
        total = totals.setdefault(row.origin, [0, 0, 0])
        total[0] += 1
        if row.completion is not None:
            total[1] += row.completion.prompt_tokens
            total[2] += row.completion.completion_tokens
    return [AnswerCount(*origin, *total) for origin, total in sorted(totals.items())]


def export(cache: ResponseCache, path: Path, selection: Selection) -> ExportResult:
    """Write the selected answers to `path` (.jsonl, or compressed: .gz, .xz, .bz2).

    The file appears when it is complete; the date of an answer stays out of it, so equal answers are equal bytes.

    Raises:
        DataError: the file cannot be written.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder. Name a file: answers.jsonl, or .jsonl.gz, .jsonl.xz, .jsonl.bz2.")
    written = damaged = 0
    try:
        with replacing(path) as temporary, _open_archive(temporary) as stream:
            for row in stored_answers(cache, selection):
                line = _archive_line(row)
                if line is None:
                    damaged += 1
                else:
                    stream.write(json.dumps(line.model_dump(exclude_defaults=True), sort_keys=True) + "\n")
                    written += 1
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror or error}. Nothing is wrong with the answer cache; choose "
            "another place for the archive."
        ) from None
    return ExportResult(written, damaged)


def _archive_line(row: StoredAnswer) -> ArchiveLine | None:
    if row.completion is None:
        return None
    fields = row.completion.stored()
    served_model = fields.pop("model")
    try:
        return ArchiveLine(key=row.key, **row.origin._asdict(), served_model=served_model, **fields)
    except ValidationError:
        return None


def load(cache: ResponseCache, path: Path) -> ImportResult:
    """Add the answers of an archive; all of them or, if a line is damaged, none.

    Raises:
        DataError: the file is missing, not an archive, too large, or has a damaged line (named).
    """
    added = identical = conflicting = 0
    complete = False
    with cache.connection() as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for line in _read_lines(path):
                origin = Origin(line.base_url, line.model, line.stage)
                if insert(connection, line.key, line.completion(), origin):
                    added += 1
                elif cache.get(line.key) == line.completion():
                    identical += 1
                elif insert(connection, line.key, line.completion(), origin):  # ours was damaged, and is gone now
                    added += 1
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
    number = n_bytes = 0
    try:
        if path.suffix == ".xz":
            _check_xz_memory(path)
        with opener(path, "rb") as stream:
            while text := stream.readline(MAX_LINE_BYTES + 1):
                number += 1
                n_bytes += len(text)
                if len(text) > MAX_LINE_BYTES or n_bytes > MAX_ARCHIVE_BYTES:
                    raise DataError(f"{path}:{number}: larger than any archive of answers. Nothing was imported.")
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
    except (OSError, EOFError, UnicodeDecodeError, lzma.LZMAError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or f"damaged or not what its suffix says ({error})"
        raise DataError(f"{path}: {reason}. Nothing was imported.") from None


def _check_xz_memory(path: Path) -> None:
    """Let liblzma read the header under a limit; it raises if unpacking would need more."""
    with path.open("rb") as stream:
        lzma.LZMADecompressor(memlimit=MAX_XZ_MEMORY).decompress(stream.read(1 << 16), max_length=1)
