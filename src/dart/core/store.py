"""One SQLite file in the user's cache directory that all clones and all processes of a user share.

Here because what was paid for or computed once must survive kill -9 and serve every clone. Each use is its own short
transaction, so several processes may read and write at the same time.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import platformdirs

from dart.core.errors import DartError

BUSY_S = 60.0  # every transaction is one statement or one batch, so another process holds the lock for milliseconds


def cache_folder() -> Path:
    """``$DART_CACHE_DIR``, else the platform's cache directory of the user."""
    folder = os.environ.get("DART_CACHE_DIR")
    return Path(folder).expanduser() if folder else platformdirs.user_cache_path("dart")


class Store:
    """A file with one table.

    Write-ahead log with ``synchronous=NORMAL``: a killed process loses nothing that was written; a power cut can
    lose the last moments and cannot damage the file.
    """

    FILE: ClassVar[str]
    TABLE: ClassVar[str]  # CREATE TABLE IF NOT EXISTS ...
    LAYOUT: ClassVar[int]  # PRAGMA user_version
    NAME: ClassVar[str]  # as messages call it
    LOSS: ClassVar[str]  # what moving the file away costs
    ERROR: ClassVar[type[DartError]]

    def __init__(self, path: Path | None = None) -> None:
        self.path = path if path is not None else cache_folder() / self.FILE
        self._open: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._open is not None:
            self._open.close()
            self._open = None

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """The open file, in autocommit mode: a statement is a transaction. What SQLite raises becomes a DartError."""
        try:
            if self._open is None:
                self._open = self._connect()
            yield self._open
        except (sqlite3.Error, OSError) as error:
            raise self.ERROR(
                f"the {self.NAME} {self.path} cannot be used: {error}. It needs a writable local folder (SQLite's "
                "write-ahead log does not work on network file systems) with free space: set DART_CACHE_DIR to one, "
                f"or, if the file is damaged, move it away; {self.LOSS}."
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
        if layout not in (0, self.LAYOUT):
            connection.close()
            raise self.ERROR(
                f"the {self.NAME} {self.path} has layout {layout}, this version of dart knows {self.LAYOUT}. "
                "Update dart, or set DART_CACHE_DIR to another folder."
            )
        connection.execute(self.TABLE)
        connection.execute(f"PRAGMA user_version = {self.LAYOUT}")
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
