"""The interface of a scorer H, and the cache of a large classifier's scores, shared by all clones of a user.

The same rationales are scored again by every sweep, ablation and resumed stage. A score is a function of the text and
of its `ScoringIdentity` alone, which makes a cache safe; `Classifier` ensures that the batch does not influence it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from dart.core.errors import ModelError
from dart.core.records import Record
from dart.core.seeds import digest
from dart.core.store import Store

_PER_QUERY = 500  # SQLite allows 999 values in a statement of old builds

_TABLE = """
CREATE TABLE IF NOT EXISTS scores (
    reading TEXT NOT NULL,       -- ScoringIdentity.key
    text TEXT NOT NULL,          -- sha256 of the text; the text itself is not stored
    score REAL NOT NULL,
    model TEXT NOT NULL,         -- these three describe the origin of a score; a look-up does not use them
    label TEXT NOT NULL,
    stored_at INTEGER NOT NULL,  -- seconds since 1970
    PRIMARY KEY (reading, text)
) WITHOUT ROWID
"""


class Scorer(Protocol):
    """H, as `dart.harm.classifier.Classifier` computes it."""

    def score(self, texts: Sequence[str]) -> list[float]:
        """The probability of harm of each text, in [0, 1]."""


class ScoringIdentity(Record):
    """Everything besides the text that decides a score, to the last digit."""

    model: str
    revision: str  # commit, or digest of the files
    label: str
    max_length: int  # tokens; the rest of a text is truncated
    digits: int  # significant ones
    machine: str  # precision, device, its threads, and the versions of the libraries

    @property
    def key(self) -> str:
        return digest(self.model_dump())


class ScoreCount(NamedTuple):
    """How many scores of a class of a model are cached."""

    model: str
    label: str
    scores: int


class ScoreCache(Store):
    """Scores by identity and text."""

    FILE = "scores.sqlite"
    TABLE = _TABLE
    LAYOUT = 1
    NAME = "score cache"
    WAY_OUT = "If the file is damaged, move it away; its texts are then scored again."
    ERROR = ModelError

    def get(self, identity: ScoringIdentity, texts: Sequence[str]) -> dict[str, float]:
        """The cached scores of `texts`, by text."""
        by_hash = {_hash(text): text for text in texts}
        hashes = list(by_hash)
        scores: dict[str, float] = {}
        with self.connection() as connection:
            for start in range(0, len(hashes), _PER_QUERY):
                chunk = hashes[start : start + _PER_QUERY]
                marks = ", ".join("?" * len(chunk))
                query = f"SELECT text, score FROM scores WHERE reading = ? AND text IN ({marks})"
                rows = connection.execute(query, [identity.key, *chunk])
                scores |= {by_hash[name]: score for name, score in rows}
        return scores

    def put(self, identity: ScoringIdentity, scores: Mapping[str, float]) -> None:
        """Store `scores` by text, all or none; an existing score is kept."""
        key, now = identity.key, int(time.time())
        rows = [(key, _hash(text), score, identity.model, identity.label, now) for text, score in scores.items()]
        with self.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            complete = False
            try:
                connection.executemany("INSERT INTO scores VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", rows)
                complete = True
            finally:
                connection.execute("COMMIT" if complete else "ROLLBACK")

    def counts(self) -> list[ScoreCount]:
        """The number of cached scores by model and label."""
        query = "SELECT model, label, count(*) FROM scores GROUP BY model, label ORDER BY model, label"
        with self.connection() as connection:
            return [ScoreCount(*row) for row in connection.execute(query)]

    def prune(self, model: str | None, older_than_s: float | None, *, dry_run: bool) -> int:
        """Remove scores of a model, of an age, or both; returns their number. `dry_run` only counts them."""
        before = None if older_than_s is None else time.time() - older_than_s
        where = "(:model IS NULL OR model = :model) AND (:before IS NULL OR stored_at < :before)"
        values = {"model": model, "before": before}
        with self.connection() as connection:
            count = int(connection.execute(f"SELECT count(*) FROM scores WHERE {where}", values).fetchone()[0])
            if not dry_run:
                connection.execute(f"DELETE FROM scores WHERE {where}", values)
        return count


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
