"""What was paid, and what may still be: a ledger beside the cached answers, and the hard stop of `budget_usd`.

Here because a bill must have an upper end that holds while 16 requests are on their way, in two processes, through
kill -9. A request is charged at its worst case before it is sent, and at its real price when its reply has come. What
died in between (a kill, a timeout, a connection cut in the body) may have been billed by the server, so it stays
charged at its worst case, as unconfirmed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from dart.chat.cache import Origin, ResponseCache
from dart.chat.request import ChatRequest
from dart.chat.response import Completion
from dart.core.schema.profile import Endpoint

NANO = 1_000_000_000  # whole nano-dollars: sums of them are exact
PER_MESSAGE = 16  # tokens around each message that a chat template may add

_TABLE = """
CREATE TABLE IF NOT EXISTS spending (
    base_url TEXT NOT NULL, model TEXT NOT NULL, stage TEXT NOT NULL,
    calls INTEGER NOT NULL DEFAULT 0,  -- replies that came whole
    prompt_tokens INTEGER NOT NULL DEFAULT 0, completion_tokens INTEGER NOT NULL DEFAULT 0,
    paid INTEGER NOT NULL DEFAULT 0,   -- nano-dollars of them, at the profile's prices of their day
    open INTEGER NOT NULL DEFAULT 0,   -- nano-dollars of requests whose reply has not come whole, at their worst case
    PRIMARY KEY (base_url, model, stage)
)
"""
_CHARGE = """
INSERT INTO spending (base_url, model, stage, open)
SELECT :base_url, :model, :stage, :most WHERE :budget IS NULL OR :most <= :budget -
    (SELECT coalesce(sum(paid + open), 0) FROM spending WHERE base_url = :base_url AND model = :model)
ON CONFLICT (base_url, model, stage) DO UPDATE SET open = open + excluded.open
"""
_SETTLE = """
UPDATE spending SET open = open - :most, paid = paid + :price, calls = calls + :calls,
    prompt_tokens = prompt_tokens + :prompt_tokens, completion_tokens = completion_tokens + :completion_tokens
WHERE base_url = :base_url AND model = :model AND stage = :stage
"""


class Spending(NamedTuple):
    """One line of the ledger."""

    base_url: str
    model: str
    stage: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    usd: float
    unconfirmed_usd: float  # at worst, of requests whose reply never came whole


class Ledger:
    """The account of one endpoint and stage in the file of `cache`; a charge is one statement, so one transaction."""

    def __init__(self, cache: ResponseCache, endpoint: Endpoint, origin: Origin) -> None:
        self._cache = cache
        self._endpoint = endpoint
        self._origin = origin._asdict()
        self._budget = None if endpoint.budget_usd is None else math.floor(endpoint.budget_usd * NANO)
        self._free = endpoint.usd_per_million_prompt_tokens == endpoint.usd_per_million_completion_tokens == 0
        if not self._free:
            with cache.connection() as connection:
                connection.execute(_TABLE)

    def charge(self, request: ChatRequest) -> int | None:
        """Charge the worst case of `request` and return it (nano-dollars); None: the budget does not allow it."""
        if self._free:
            return 0
        most = nano_usd(self._endpoint, most_prompt_tokens(request), self._endpoint.max_tokens)
        with self._cache.connection() as connection:
            values = {**self._origin, "most": most, "budget": self._budget}
            return most if connection.execute(_CHARGE, values).rowcount else None

    def settle(self, most: int, reply: Completion | None) -> None:
        """Replace a charge by the price of the reply; None: the server billed nothing (it refused the request)."""
        if self._free:
            return
        asked, said = (reply.prompt_tokens, reply.completion_tokens) if reply else (0, 0)
        values = {"most": most, "price": nano_usd(self._endpoint, asked, said), "calls": int(reply is not None)}
        with self._cache.connection() as connection:
            connection.execute(_SETTLE, {**self._origin, **values, "prompt_tokens": asked, "completion_tokens": said})

    def spent_usd(self) -> float:
        """Paid and unconfirmed at this endpoint, by all stages of all runs."""
        lines = spending(self._cache)
        here = (self._origin["base_url"], self._origin["model"])
        return sum(line.usd + line.unconfirmed_usd for line in lines if (line.base_url, line.model) == here)


def spending(cache: ResponseCache) -> list[Spending]:
    """All lines of the ledger, sorted."""
    with cache.connection() as connection:
        connection.execute(_TABLE)
        rows = connection.execute(
            "SELECT base_url, model, stage, calls, prompt_tokens, completion_tokens, paid, open FROM spending "
            "ORDER BY base_url, model, stage"
        ).fetchall()
    return [
        Spending(url, model, stage, calls, asked, said, paid / NANO, unconfirmed / NANO)
        for url, model, stage, calls, asked, said, paid, unconfirmed in rows
    ]


def most_prompt_tokens(request: ChatRequest) -> int:
    """No tokenizer makes more tokens of a text than it has bytes."""
    messages = request.body["messages"]
    return sum(len(message["content"].encode("utf-8", "surrogatepass")) + PER_MESSAGE for message in messages)


def nano_usd(endpoint: Endpoint, prompt_tokens: int, completion_tokens: int) -> int:
    """Price in nano-dollars, rounded up."""
    micro = (
        prompt_tokens * endpoint.usd_per_million_prompt_tokens
        + completion_tokens * endpoint.usd_per_million_completion_tokens
    )
    return math.ceil(micro * 1000)
