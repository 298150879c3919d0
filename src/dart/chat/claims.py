"""Who is asking what right now: claims with leases, so that runs at the same time never pay for one answer twice.

Here because `dvc queue start --jobs 2`, a sweep in two clones, or two people on one machine ask the same questions at
the same moment, when no answer is in the cache yet. Before a request is sent its key is claimed in the cache's file;
whoever comes second waits for the answer. A claim holds for a lease, which its process renews as long as it lives. A
killed process is noticed at once on the same machine, and elsewhere when its lease runs out.
"""

from __future__ import annotations

import os
import platform
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from dart.chat.cache import ResponseCache

LEASE_S = 60.0  # how long a claim holds that nobody renews
RENEW_S = 15.0  # several times within a lease: one transaction waits for another process for seconds at worst
_TABLE = """
CREATE TABLE IF NOT EXISTS claims (
    key TEXT PRIMARY KEY,      -- ChatRequest.key
    owner TEXT NOT NULL,       -- machine, process and ask; or the batch that it was submitted in
    expires_at REAL NOT NULL   -- seconds since 1970
) WITHOUT ROWID
"""
_ANSWERED = """
CREATE TRIGGER IF NOT EXISTS an_answer_ends_its_claim AFTER INSERT ON answers
BEGIN DELETE FROM claims WHERE key = new.key; END
"""
_ACQUIRE = """
INSERT INTO claims VALUES (:key, :owner, :expires_at)
ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at
WHERE claims.owner = excluded.owner OR claims.expires_at < :now OR claims.owner = :dead
"""


class Claims:
    """The claims of one `ask`, in the file of `cache`."""

    def __init__(
        self,
        cache: ResponseCache,
        clock: Callable[[], float] = time.time,
        owner: str | None = None,
        lease_s: float = LEASE_S,
    ) -> None:
        self._cache = cache
        self._clock = clock
        self._lease_s = lease_s
        self._owner = f"{process_name()}:{secrets.token_hex(4)}" if owner is None else owner
        self._ready = False

    def acquire(self, key: str) -> bool:
        """Claim `key`; False: another live process asks it at this moment."""
        if self._insert(key, None):
            return True
        with self._cache.connection() as connection:
            row = connection.execute("SELECT owner FROM claims WHERE key = ?", (key,)).fetchone()
        if row is not None and is_alive(str(row[0])):
            return False
        return self._insert(key, None if row is None else str(row[0]))

    def release(self, keys: Iterable[str]) -> None:
        """Give claims of this `ask` up; those of others stay."""
        with self._cache.connection() as connection:
            self._prepare()
            connection.executemany(
                "DELETE FROM claims WHERE key = ? AND owner = ?", [(key, self._owner) for key in keys]
            )

    def renew(self) -> None:
        """Prolong all claims of this `ask`."""
        if self._ready:
            with self._cache.connection() as connection:
                values = (self._clock() + self._lease_s, self._owner)
                connection.execute("UPDATE claims SET expires_at = ? WHERE owner = ?", values)

    def release_all(self) -> None:
        """Give all claims of this `ask` up: what it did not answer, others may."""
        if self._ready:
            with self._cache.connection() as connection:
                connection.execute("DELETE FROM claims WHERE owner = ?", (self._owner,))

    def _prepare(self) -> None:
        """Create the table where a cache of an older version has none."""
        if not self._ready:
            with self._cache.connection() as connection:
                connection.execute(_TABLE)
                connection.execute(_ANSWERED)
            self._ready = True

    def _insert(self, key: str, dead: str | None) -> bool:
        now = self._clock()
        values = {"key": key, "owner": self._owner, "expires_at": now + self._lease_s, "now": now, "dead": dead}
        with self._cache.connection() as connection:
            self._prepare()
            return bool(connection.execute(_ACQUIRE, values).rowcount)


def process_name() -> str:
    """This process as an owner: machine, process namespace (a container counts its own), and id."""
    namespace = Path("/proc/self/ns/pid")
    space = os.readlink(namespace) if namespace.is_symlink() else ""
    return f"{platform.node()}{space}:{os.getpid()}"


def is_alive(owner: str) -> bool:
    """Whether the process behind `owner` may still answer; True wherever this machine cannot tell."""
    machine, _, process = owner.rpartition(":")[0].rpartition(":")
    if not process.isdigit() or machine != process_name().rpartition(":")[0]:
        return True  # of another machine, or a batch: only the lease tells
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to another user
        return True
    return True
