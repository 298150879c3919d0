"""Answers that were paid for, in one SQLite file that all clones and all processes of a user share.

Here because nothing may be lost and nothing paid twice: the published code lost its judge calls up to the last
checkpoint when it was killed, and cached failures as verdicts. An answer is written before its call counts as
done, only complete answers are written, and none expires.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import platformdirs

from dart.chat.reply import Completion
from dart.errors import ChatError

LAYOUT = 1  # PRAGMA user_version
BUSY_S = 60.0  # every transaction here is one statement, so another process holds the lock for milliseconds

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


class Origin(NamedTuple):
    """Where an answer came from: what `stats` groups by and `prune` selects by."""

    base_url: str
    model: str
    stage: str


def default_path() -> Path:
    """``$DART_CACHE_DIR/answers.sqlite``, else in the platform's cache directory of the user."""
    folder = os.environ.get("DART_CACHE_DIR")
    return (Path(folder).expanduser() if folder else platformdirs.user_cache_path("dart")) / "answers.sqlite"


class ResponseCache:
    """Complete answers by request key. Safe for several processes: each statement is its own short transaction.

    Write-ahead log with ``synchronous=NORMAL``: a killed process loses nothing that was written; a power cut can
    lose the last moments and cannot damage the file.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path if path is not None else default_path()
        self._open: sqlite3.Connection | None = None

    def get(self, key: str) -> Completion | None:
        """The stored answer, or None."""
        with self.connection() as connection:
            row = connection.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
        return None if row is None else Completion(**json.loads(row[0]))

    def put(self, key: str, answer: Completion, origin: Origin, *, as_written: bool = False) -> Completion:
        """Store a complete answer and return the one that stands; `as_written`: cut or empty, it is complete as well.

        If another process stored an answer to the same request in the meantime, the first one stands and is
        returned, so that both processes go on with the same text.
        """
        fault = answer.broken if as_written else answer.fault
        if fault is not None:
            raise ValueError(f"only complete answers are stored, and of this one {fault}")
        text = json.dumps(answer._asdict(), sort_keys=True)
        with self.connection() as connection:
            written = connection.execute(
                "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
                (key, *origin, int(time.time()), text),
            ).rowcount
        return answer if written else self.get(key) or answer

    def forget(self, keys: Iterable[str]) -> None:
        """Remove answers that led to a failure, so that the next run asks again instead of failing again."""
        with self.connection() as connection:
            connection.executemany("DELETE FROM answers WHERE key = ?", [(key,) for key in keys])

    def __len__(self) -> int:
        with self.connection() as connection:
            return int(connection.execute("SELECT count(*) FROM answers").fetchone()[0])

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._open is not None:
            self._open.close()
            self._open = None

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """The open file, in autocommit mode: a statement is a transaction. What SQLite raises becomes a ChatError."""
        try:
            if self._open is None:
                self._open = self._connect()
            yield self._open
        except (sqlite3.Error, OSError) as error:
            raise ChatError(
                f"the answer cache {self.path} cannot be used: {error}. It needs a writable local folder (SQLite's "
                "write-ahead log does not work on network file systems) with free space: set DART_CACHE_DIR to one, "
                "or, if the file is damaged, move it away; its answers are then asked again."
            ) from error

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # autocommit: a statement is a transaction. The connection is used by one thread at a time, not always the
        # one that opened it (a notebook asks from a thread of its own).
        connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_S * 1000)}")
        _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        layout = connection.execute("PRAGMA user_version").fetchone()[0]
        if layout not in (0, LAYOUT):
            connection.close()
            raise ChatError(
                f"the answer cache {self.path} has layout {layout}, this version of dart knows {LAYOUT}. "
                "Update dart, or set DART_CACHE_DIR to another folder."
            )
        connection.execute(_TABLE)
        connection.execute(f"PRAGMA user_version = {LAYOUT}")
        return connection


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """SQLite does not wait (busy_timeout) for this one switch when two processes open a new file together."""
    give_up_at = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up_at:
                raise
            time.sleep(0.05)
