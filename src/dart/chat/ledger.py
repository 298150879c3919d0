"""What was paid, and what may still be billed: a ledger beside the cached answers, and the hard stop of `budget_usd`.

Here because a bill must have an upper end that holds while 16 requests are in flight, in two processes, through
kill -9. A request is charged at its worst case before it is sent, and at its real price when its reply has come. What
died in between (a kill, a timeout, a connection cut in the body) may have been billed by the server, so it stays
charged at its worst case, as unconfirmed; and so does a reply that does not say what it used.
"""

from __future__ import annotations

import math
import sqlite3
from typing import NamedTuple

from dart.chat.cache import Origin, ResponseCache
from dart.chat.request import ChatRequest
from dart.chat.response import Completion
from dart.chat.usage import is_known
from dart.core.schema.profile import Endpoint

NANO = 1_000_000_000  # whole nano-dollars: sums of them are exact
MAX_NANO = 10**15  # a million dollars, and thousands of them fit into SQLite's integers
TOKENS_PER_MESSAGE = 16  # that a chat template may add around it

_TABLE = """
CREATE TABLE IF NOT EXISTS spending (
    base_url TEXT NOT NULL, model TEXT NOT NULL, stage TEXT NOT NULL,
    calls INTEGER NOT NULL DEFAULT 0,  -- replies that came whole
    prompt_tokens INTEGER NOT NULL DEFAULT 0, completion_tokens INTEGER NOT NULL DEFAULT 0,
    paid INTEGER NOT NULL DEFAULT 0,   -- nano-dollars of them, at the profile's prices of their day
    open INTEGER NOT NULL DEFAULT 0,   -- nano-dollars of requests without a reply that states its usage, at worst
    PRIMARY KEY (base_url, model, stage)
)
"""
_CHARGE = """
INSERT INTO spending (base_url, model, stage, open)
SELECT :base_url, :model, :stage, :charge WHERE :budget IS NULL OR :charge <= :budget -
    (SELECT coalesce(sum(paid + open), 0) FROM spending WHERE base_url = :base_url AND model = :model)
ON CONFLICT (base_url, model, stage) DO UPDATE SET open = open + excluded.open
"""
_SETTLE = """
UPDATE spending SET open = open - :charge, paid = paid + :price, calls = calls + :calls,
    prompt_tokens = prompt_tokens + :prompt_tokens, completion_tokens = completion_tokens + :completion_tokens
WHERE base_url = :base_url AND model = :model AND stage = :stage
"""


class LedgerEntry(NamedTuple):
    """What one stage paid at one endpoint."""

    base_url: str
    model: str
    stage: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    usd: float
    unconfirmed_usd: float  # at worst, of requests whose reply never came whole or did not say what it used


class Ledger:
    """The account of one endpoint and stage in the file of `cache`; a charge is one statement, so one transaction."""

    def __init__(self, cache: ResponseCache, endpoint: Endpoint, origin: Origin, discount: float = 1.0) -> None:
        self._cache = cache
        self._discount = discount  # share of the list price that this way of asking costs
        self._endpoint = endpoint
        self._origin = origin._asdict()
        self._budget = None if endpoint.budget_usd is None else math.floor(min(MAX_NANO, endpoint.budget_usd * NANO))
        self._free = endpoint.usd_per_million_prompt_tokens == endpoint.usd_per_million_completion_tokens == 0
        if not self._free:
            with cache.connection() as connection:
                connection.execute(_TABLE)

    def charge(self, request: ChatRequest) -> int | None:
        """Charge the worst case of `request` and return it (nano-dollars); None: the budget does not allow it."""
        if self._free:
            return 0
        worst_case = self._price(max_prompt_tokens(request), self._endpoint.max_tokens)
        with self._cache.connection() as connection:
            values = {**self._origin, "charge": worst_case, "budget": self._budget}
            return worst_case if connection.execute(_CHARGE, values).rowcount else None

    def settle(self, charge: int, reply: Completion | None) -> None:
        """Replace a charge by the price of the reply; None: the server billed nothing (it refused the request).

        A reply without a usable count of its tokens stays charged at its worst case: nobody knows what it cost.
        """
        if self._free:
            return
        prompt, completion = (reply.prompt_tokens, reply.completion_tokens) if reply else (0, 0)
        known = reply is None or is_known(prompt, completion, reply.text)
        values = {
            "charge": charge if known else 0,
            "price": self._price(prompt, completion) if known else 0,
            "calls": int(reply is not None),
            "prompt_tokens": prompt,
            "completion_tokens": completion,
        }
        with self._cache.connection() as connection:
            connection.execute(_SETTLE, {**self._origin, **values})

    def _price(self, prompt_tokens: int, completion_tokens: int) -> int:
        return math.ceil(nano_usd(self._endpoint, prompt_tokens, completion_tokens) * self._discount)

    def spent_usd(self) -> float:
        """Paid and unconfirmed at this endpoint, by all stages of all runs."""
        address = (self._origin["base_url"], self._origin["model"])
        entries = [entry for entry in ledger_entries(self._cache) if (entry.base_url, entry.model) == address]
        return sum(entry.usd + entry.unconfirmed_usd for entry in entries)


def ledger_entries(cache: ResponseCache) -> list[LedgerEntry]:
    """All entries of the ledger, sorted."""
    with cache.connection() as connection:
        connection.execute(_TABLE)
        rows = connection.execute(
            "SELECT base_url, model, stage, calls, prompt_tokens, completion_tokens, paid, open FROM spending "
            "ORDER BY base_url, model, stage"
        ).fetchall()
    return [
        LedgerEntry(url, model, stage, calls, prompt, completion, paid / NANO, unconfirmed / NANO)
        for url, model, stage, calls, prompt, completion, paid, unconfirmed in rows
    ]


def copy(damaged: sqlite3.Connection, cache: ResponseCache) -> None:
    """Add the readable entries of a damaged file to `cache`."""
    rows = damaged.execute("SELECT * FROM spending").fetchall()
    with cache.connection() as connection:
        connection.execute(_TABLE)
        connection.executemany("INSERT OR IGNORE INTO spending VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def max_prompt_tokens(request: ChatRequest) -> int:
    """An upper bound on a request's prompt: no tokenizer makes more tokens of a text than it has bytes."""
    messages = request.body["messages"]
    return sum(len(message["content"].encode("utf-8", "surrogatepass")) + TOKENS_PER_MESSAGE for message in messages)


def nano_usd(endpoint: Endpoint, prompt_tokens: int, completion_tokens: int) -> int:
    """Price in nano-dollars, rounded up; at most `MAX_NANO`, which no request costs."""
    micro = (
        prompt_tokens * endpoint.usd_per_million_prompt_tokens
        + completion_tokens * endpoint.usd_per_million_completion_tokens
    )
    return math.ceil(min(micro * 1000, MAX_NANO))
