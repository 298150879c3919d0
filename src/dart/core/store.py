"""An SQLite file in the user's cache directory, shared by all clones and all processes of a user.

Results that were paid for or computed once must survive kill -9 and serve every clone. Each use is its own short
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
from dart.core.visible_text import visible

MAX_ERROR = 200  # characters of SQLite's own words, which may quote a row
BUSY_S = 60.0  # every transaction is one statement or one batch, so another process holds the lock for milliseconds


def cache_folder() -> Path:
    """``$DART_CACHE_DIR``, else the platform's cache directory of the user."""
    folder = os.environ.get("DART_CACHE_DIR")
    return Path(folder).expanduser() if folder else platformdirs.user_cache_path("dart")


class Store:
    """Base class of a file with one table.

    Write-ahead log with ``synchronous=NORMAL``: a killed process loses nothing that was written; a power cut can
    lose the last transactions but cannot damage the file.
    """

    FILE: ClassVar[str]  # name in the cache directory
    TABLE: ClassVar[str]  # CREATE TABLE IF NOT EXISTS ...
    LAYOUT: ClassVar[int]  # version of the table: PRAGMA user_version
    NAME: ClassVar[str]  # in messages
    WAY_OUT: ClassVar[str]  # what to do if the file is damaged, in messages
    ERROR: ClassVar[type[DartError]]  # raised if the file cannot be used

    def __init__(self, path: Path | None = None) -> None:
        self.path = path if path is not None else cache_folder() / self.FILE
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection in autocommit mode: each statement is a transaction. Errors of SQLite become `ERROR`.

        An `OSError` of the caller's own files passes: it says nothing about this one.
        """
        if self._connection is None:
            try:
                self._connection = self._connect()
            except (sqlite3.Error, OSError) as error:
                raise self._unusable(error) from error
        try:
            yield self._connection
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> DartError:
        return self.ERROR(
            f"the {self.NAME} {self.path} cannot be used: {visible(str(error))[:MAX_ERROR]}. It needs a writable "
            "local folder (SQLite's write-ahead log does not work on network file systems) with free space: set "
            f"DART_CACHE_DIR to one. {self.WAY_OUT}"
        )

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # isolation_level None: autocommit. The connection is used by one thread at a time, not always by the one that
        # opened it (a notebook asks from a thread of its own).
        connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_S * 1000)}")
        _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        layout = connection.execute("PRAGMA user_version").fetchone()[0]
        if layout not in (0, self.LAYOUT):
            connection.close()
            raise self.ERROR(
                f"the {self.NAME} {self.path} has layout {layout}, but this version of dart reads {self.LAYOUT}. "
                "Update dart, or set DART_CACHE_DIR to another folder."
            )
        connection.execute(self.TABLE)
        connection.execute(f"PRAGMA user_version = {self.LAYOUT}")
        return connection


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Switch with retries: busy_timeout does not apply when two processes open a new file at the same time."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
