"""Answers that were paid for, in one SQLite file that all clones and all processes of a user share.

Here because nothing may be lost and nothing paid twice: the published code lost its judge calls up to the last
checkpoint when it was killed, and cached failures as verdicts. An answer is written before its call counts as
done, only complete answers are written, and none expires.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import NamedTuple

from dart.chat.response import Completion
from dart.core.errors import ChatError
from dart.core.store import Store

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


class ResponseCache(Store):
    """Complete answers by request key."""

    FILE = "answers.sqlite"
    TABLE = _TABLE
    LAYOUT = 1
    NAME = "answer cache"
    LOSS = "its answers are then asked again"
    ERROR = ChatError

    def get(self, key: str) -> Completion | None:
        """The stored answer, or None."""
        with self.connection() as connection:
            row = connection.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
        return None if row is None else Completion(**json.loads(row[0]))

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
        text = json.dumps(answer.stored(), sort_keys=True)
        with self.connection() as connection:
            inserted = connection.execute(
                "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
                (key, *origin, int(time.time()), text),
            ).rowcount
        return answer if inserted else self.get(key) or answer

    def delete(self, keys: Iterable[str]) -> None:
        """Remove answers that led to a failure, so that the next run asks again instead of failing again."""
        with self.connection() as connection:
            connection.executemany("DELETE FROM answers WHERE key = ?", [(key,) for key in keys])

    def __len__(self) -> int:
        with self.connection() as connection:
            return int(connection.execute("SELECT count(*) FROM answers").fetchone()[0])
