"""Scores of texts that a large classifier has read before, in one file that all clones and processes of a user share.

The same rationales are scored again by every sweep, arm and resumed stage, and a score never changes: it is a function
of the text and of what `Reading` names. Only that makes a cache harmless; `Classifier` sees to it that no neighbour in
a batch has a say.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dart.core.errors import ModelError
from dart.core.records import Record
from dart.core.seeds import digest
from dart.core.store import Store

_PER_QUERY = 500  # SQLite allows 999 values in a statement of old builds

_TABLE = """
CREATE TABLE IF NOT EXISTS scores (
    reading TEXT NOT NULL,       -- Reading.key
    text TEXT NOT NULL,          -- sha256 of the text; the text itself is not kept
    score REAL NOT NULL,
    model TEXT NOT NULL,         -- these three say where a score came from; they take no part in a look-up
    label TEXT NOT NULL,
    stored_at INTEGER NOT NULL,  -- seconds since 1970
    PRIMARY KEY (reading, text)
) WITHOUT ROWID
"""


class Reading(Record):
    """Everything besides the text that decides a score, to the last digit."""

    model: str
    revision: str  # commit, or digest of the files
    label: str
    max_length: int  # tokens that are read
    digits: int
    machine: str  # precision, device, its threads, and the versions of the libraries that do the sums

    @property
    def key(self) -> str:
        return digest(self.model_dump())


class Kept(NamedTuple):
    """How many scores of a model are kept."""

    model: str
    label: str
    scores: int


class ScoreCache(Store):
    """Scores by reading and text."""

    FILE = "scores.sqlite"
    TABLE = _TABLE
    LAYOUT = 1
    NAME = "score cache"
    LOSS = "its texts are then scored again"
    ERROR = ModelError

    def get(self, reading: Reading, texts: Sequence[str]) -> dict[str, float]:
        """The known scores among `texts`."""
        named = {_name(text): text for text in texts}
        names = list(named)
        found: dict[str, float] = {}
        with self.connection() as connection:
            for start in range(0, len(names), _PER_QUERY):
                some = names[start : start + _PER_QUERY]
                marks = ", ".join("?" * len(some))
                query = f"SELECT text, score FROM scores WHERE reading = ? AND text IN ({marks})"
                found |= {named[name]: score for name, score in connection.execute(query, [reading.key, *some])}
        return found

    def put(self, reading: Reading, scores: Mapping[str, float]) -> None:
        """Keep `scores` by text, all or none; what is known already stands."""
        key, now = reading.key, int(time.time())
        rows = [(key, _name(text), score, reading.model, reading.label, now) for text, score in scores.items()]
        with self.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            whole = False
            try:
                connection.executemany("INSERT INTO scores VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", rows)
                whole = True
            finally:
                connection.execute("COMMIT" if whole else "ROLLBACK")

    def kept(self) -> list[Kept]:
        """How many scores there are, by model and label."""
        query = "SELECT model, label, count(*) FROM scores GROUP BY model, label ORDER BY model, label"
        with self.connection() as connection:
            return [Kept(*row) for row in connection.execute(query)]

    def prune(self, model: str | None, older_than_s: float | None, *, dry_run: bool) -> int:
        """Remove scores of a model, of an age, or both, and return their number; a dry run only counts them."""
        before = None if older_than_s is None else time.time() - older_than_s
        where = "(:model IS NULL OR model = :model) AND (:before IS NULL OR stored_at < :before)"
        values = {"model": model, "before": before}
        with self.connection() as connection:
            count = int(connection.execute(f"SELECT count(*) FROM scores WHERE {where}", values).fetchone()[0])
            if not dry_run:
                connection.execute(f"DELETE FROM scores WHERE {where}", values)
        return count


def _name(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
