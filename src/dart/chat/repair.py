"""Check every row of the answer cache, forget what is damaged, and save what can be read of a damaged file.

What `dart cache verify` does. A disk flips bits, a copy of a running cache is torn: what was paid for and can be read
must survive that, and what cannot must not be served.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from dart.chat import ledger
from dart.chat.cache import DamagedAnswer, Origin, ResponseCache, checksum, insert, read_answer
from dart.core.errors import ChatError

MAX_GAP = 1_000_000  # rows that an unreadable page may hide; a damaged row number is not counted up to
_CHECKSUM = "SELECT sha256 FROM checksums WHERE key = ?"
_ROW = """
SELECT CAST(key AS BLOB), CAST(base_url AS BLOB), CAST(model AS BLOB), CAST(stage AS BLOB), CAST(answer AS BLOB)
FROM answers WHERE rowid = ?
"""


class Verification(NamedTuple):
    """What a check of the cache came to."""

    answers: int  # that are whole
    damaged: int  # rows that were removed, or could not be read
    unchecked: int  # whole ones that had no checksum and have one now
    moved_to: Path | None  # the damaged file, if its answers had to be saved into a new one


def verify(cache: ResponseCache) -> Verification:
    """Check all rows; a file that SQLite cannot read as a whole is replaced by one of its readable answers."""
    try:
        with cache.connection() as connection:
            sound = connection.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok"
    except ChatError as error:
        if not isinstance(error.__cause__, sqlite3.DatabaseError) or isinstance(
            error.__cause__, sqlite3.OperationalError
        ):
            raise  # locked, read-only, no space: the file itself is not in doubt
        sound = False
    return _check_rows(cache) if sound else _save(cache)


def _check_rows(cache: ResponseCache) -> Verification:
    whole = unchecked = 0
    damaged: list[int] = []
    with cache.connection() as connection:
        sums = dict(connection.execute("SELECT CAST(key AS BLOB), sha256 FROM checksums"))
        for (rowid,) in connection.execute("SELECT rowid FROM answers").fetchall():
            row = connection.execute(_ROW, (rowid,)).fetchone()
            key, answer = row[0], row[4]
            try:
                read_answer(key.decode("ascii"), answer, sums.get(key))
            except (DamagedAnswer, UnicodeDecodeError):
                damaged.append(rowid)
                continue
            whole += 1
            if key not in sums:
                unchecked += 1
                values = (key.decode("ascii"), checksum(key, answer))
                connection.execute("INSERT OR REPLACE INTO checksums VALUES (?, ?)", values)
        connection.executemany("DELETE FROM answers WHERE rowid = ?", [(rowid,) for rowid in damaged])
    return Verification(whole, len(damaged), unchecked, None)


def _save(cache: ResponseCache) -> Verification:
    """Copy every readable row, and the ledger, into a new file; the damaged one stays beside it."""
    cache.close()
    damaged_file = cache.path.with_name(f"{cache.path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    fresh = ResponseCache(cache.path.with_name(f".{cache.path.name}.{os.getpid()}"))
    whole = lost = 0
    try:
        old = sqlite3.connect(f"file:{cache.path}?mode=ro", uri=True)
        old.execute("PRAGMA writable_schema = ON")  # tables that can be read are, where another's definition cannot
        checked = True
        with suppress(sqlite3.DatabaseError):  # not even a database: there are no rows either
            checked = bool(old.execute("SELECT 1 FROM sqlite_master WHERE name = 'checksums'").fetchone())
        with fresh.connection() as new:
            new.execute("BEGIN IMMEDIATE")
            for rowid in _rowids(old):
                try:
                    row = old.execute(_ROW, (rowid,)).fetchone()
                    if row is None:
                        continue
                    key, *origin = (value.decode("utf-8") for value in row[:4])
                    found = old.execute(_CHECKSUM, (key,)).fetchone() if checked else None
                    if checked and found is None:  # in a damaged file what cannot be checked is not trusted
                        raise DamagedAnswer("its checksum cannot be found")
                    insert(new, key, read_answer(key, row[4], found and found[0]), Origin(*origin))
                    whole += 1
                except (sqlite3.Error, DamagedAnswer, UnicodeDecodeError, AttributeError):
                    lost += 1
            new.execute("COMMIT")
        with suppress(sqlite3.Error):
            ledger.copy(old, fresh)
        old.close()
        fresh.close()
        os.replace(cache.path, damaged_file)
        for suffix in ("-wal", "-shm"):  # of the damaged file, which they belong to
            with suppress(FileNotFoundError):
                os.replace(f"{cache.path}{suffix}", f"{damaged_file}{suffix}")
        os.replace(fresh.path, cache.path)
    finally:
        fresh.close()
        fresh.path.unlink(missing_ok=True)
    return Verification(whole, lost, 0, damaged_file)


def _rowids(connection: sqlite3.Connection) -> Iterator[int]:
    """Every row that may be there: what a scan finds from either end, and what lies between these."""
    found: list[set[int]] = []
    for order in ("ASC", "DESC"):
        rowids: set[int] = set()
        with suppress(sqlite3.Error):
            for (rowid,) in connection.execute(f"SELECT rowid FROM answers ORDER BY rowid {order}"):
                rowids.add(rowid)
        found.append(rowids)
    first, last = max(found[0], default=0), min(found[1], default=0)
    between = range(first + 1, last) if last - first <= MAX_GAP else range(0)
    yield from sorted(found[0] | found[1] | set(between))
