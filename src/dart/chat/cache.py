"""Answers that were paid for, in one SQLite file that all clones and all processes of a user share.

Here because nothing may be lost and nothing paid twice: the published code lost its judge calls up to the last
checkpoint when it was killed, and cached failures as verdicts. An answer is written before its call counts as
done, only complete answers are written, and none expires. Each has a checksum: one that was damaged on the disk is
forgotten and asked again, and never served as what somebody said.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from dart.chat.response import Completion
from dart.chat.usage import is_count
from dart.core.errors import ChatError
from dart.core.store import Store

log = logging.getLogger(__name__)

_TABLE = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY,      -- ChatRequest.key
    base_url TEXT NOT NULL,    -- these four say where an answer came from; none of them takes part in a look-up
    model TEXT NOT NULL,
    stage TEXT NOT NULL,
    stored_at INTEGER NOT NULL,  -- seconds since 1970, of use for pruning only
    answer TEXT NOT NULL       -- JSON of a Completion
)
"""
# A table of its own, so that clones of an older version go on reading and writing this file. What they write has no
# checksum until `dart cache verify` gives it one.
_CHECKSUMS = """
CREATE TABLE IF NOT EXISTS checksums (
    key TEXT PRIMARY KEY,
    sha256 BLOB NOT NULL       -- `checksum` of key and answer
) WITHOUT ROWID
"""
_GO_TOGETHER = """
CREATE TRIGGER IF NOT EXISTS checksum_goes_with_its_answer AFTER DELETE ON answers
BEGIN DELETE FROM checksums WHERE key = old.key; END
"""
# texts as bytes, because SQLite reads a text that is no UTF-8 as an error of the whole statement
_GET = """
SELECT CAST(answers.answer AS BLOB), checksums.sha256 FROM answers LEFT JOIN checksums USING (key) WHERE answers.key = ?
"""
_FILL = """
INSERT OR IGNORE INTO checksums SELECT key, checksum(CAST(key AS BLOB), CAST(answer AS BLOB)) FROM answers
"""


class Origin(NamedTuple):
    """Where an answer came from: what `stats` groups by and `prune` selects by."""

    base_url: str
    model: str
    stage: str


class DamagedAnswer(ValueError):
    """A row is not what was stored; the message never quotes it."""


class ResponseCache(Store):
    """Complete answers by request key."""

    FILE = "answers.sqlite"
    TABLE = _TABLE
    LAYOUT = 1
    NAME = "answer cache"
    WAY_OUT = (
        "If the file is damaged, `dart cache verify` saves every answer that can be read; what is lost is asked again."
    )
    ERROR = ChatError

    def _connect(self) -> sqlite3.Connection:
        connection = super()._connect()
        connection.create_function("checksum", 2, checksum, deterministic=True)
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'checksums'").fetchone()
        if known is None:  # a new file, or one of an older version: its answers stand as they are
            connection.execute("BEGIN IMMEDIATE")
            for statement in (_CHECKSUMS, _GO_TOGETHER, _FILL):
                connection.execute(statement)
            connection.execute("COMMIT")
        return connection

    def get(self, key: str) -> Completion | None:
        """The stored answer, or None. A damaged one is removed, with a warning."""
        with self.connection() as connection:
            row = connection.execute(_GET, (key,)).fetchone()
        if row is None:
            return None
        try:
            return read_answer(key, *row)
        except DamagedAnswer as damage:
            log.warning("the answer %s in %s is damaged (%s): it is asked again", key[:12], self.path, damage)
            self.delete([key])
            return None

    def has(self, key: str) -> bool:
        """Whether there is an answer, without reading it."""
        with self.connection() as connection:
            return connection.execute("SELECT 1 FROM answers WHERE key = ?", (key,)).fetchone() is not None

    def put(self, key: str, answer: Completion, origin: Origin, *, allow_truncated: bool = False) -> Completion:
        """Store a complete answer and return the one that stands.

        If another process stored an answer to the same request in the meantime, the first one stands and is
        returned, so that both processes go on with the same text.

        Args:
            allow_truncated: an empty text, or one cut at max_tokens, is complete as well.

        Raises:
            ValueError: the answer is not complete.
        """
        problem = answer.malformed_reason if allow_truncated else answer.incomplete_reason
        if problem is not None:
            raise ValueError(f"only complete answers are stored, and of this one {problem}")
        with self.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                inserted = insert(connection, key, answer, origin)
            finally:
                connection.execute("COMMIT")
        return answer if inserted else self.get(key) or answer

    def delete(self, keys: Iterable[str]) -> None:
        """Remove answers that led to a failure, so that the next run asks again instead of failing again."""
        with self.connection() as connection:
            connection.executemany("DELETE FROM answers WHERE key = ?", [(key,) for key in keys])

    def __len__(self) -> int:
        with self.connection() as connection:
            return int(connection.execute("SELECT count(*) FROM answers").fetchone()[0])


def insert(connection: sqlite3.Connection, key: str, answer: Completion, origin: Origin) -> bool:
    """Add a row and its checksum inside the caller's transaction; False: there is an answer already, which stands."""
    text = json.dumps(answer.stored(), sort_keys=True)
    values = (key, *origin, int(time.time()), text)
    added = connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING", values)
    if added.rowcount:
        connection.execute("INSERT OR REPLACE INTO checksums VALUES (?, ?)", (key, checksum(key, text.encode())))
    return bool(added.rowcount)


def checksum(key: str | bytes, answer: bytes) -> bytes:
    """sha256 of a row's key and answer."""
    name = key if isinstance(key, bytes) else key.encode("utf-8", "surrogatepass")
    return hashlib.sha256(name + b"\0" + answer).digest()


def read_answer(key: str, answer: bytes, stored_checksum: bytes | None) -> Completion:
    """The completion in a row.

    Args:
        stored_checksum: None for a row that a clone of an older version wrote.

    Raises:
        DamagedAnswer: it is not what was stored.
    """
    if stored_checksum is not None and checksum(key, answer) != stored_checksum:
        raise DamagedAnswer("its checksum differs")
    try:
        fields: Any = json.loads(answer)
        completion = Completion(**fields)
    except (ValueError, TypeError, RecursionError):
        raise DamagedAnswer("it is not the JSON of an answer") from None
    texts = (completion.text, completion.model, completion.finish_reason or "")
    counts = (completion.prompt_tokens, completion.completion_tokens)
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(count, int) for count in counts):
        raise DamagedAnswer("its fields are not those of an answer")
    if all(map(is_count, counts)):
        return completion
    # an older version stored whatever a server said: the answer is good, its usage unknown
    return completion._replace(prompt_tokens=0, completion_tokens=0)
