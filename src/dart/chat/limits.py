"""How many requests run at once and how many start per minute: `ConcurrencyLimiter` adapts to 429, `RateLimiter` paces.

The published rate limiter hung for ever on a prompt larger than its token bucket. Neither class here can: a
`RateLimiter` lets everything start and pays for it afterwards (debt instead of a bucket that must first be full), and
a `ConcurrencyLimiter` never goes below one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from dart.core.schema.profile import Endpoint

Clock = Callable[[], float]


class ConcurrencyLimiter:
    """At most `max_concurrency` requests in flight, adapted by AIMD: halved by a 429, raised again by successes.

    First come, first served. One burst of 429 (everything in flight is refused at once) counts as one signal.
    """

    BURST_S = 1.0
    INCREASE_PER_SUCCESS = 0.1

    def __init__(self, max_concurrency: int, clock: Clock = time.monotonic) -> None:
        self.max_concurrency = max_concurrency
        self.in_flight = 0
        self._limit = float(max_concurrency)
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._clock = clock
        self._last_decrease = float("-inf")

    @property
    def limit(self) -> int:
        """How many may be in flight now; at least 1."""
        return int(self._limit)

    async def acquire(self) -> None:
        """Take a slot, waiting for one if need be."""
        if self.in_flight < self.limit and not self._waiters:
            self.in_flight += 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():
                self.release()  # the slot was handed over in the same moment: pass it on, or it is lost
            raise

    def release(self) -> None:
        """Give a slot back and wake those who wait for one."""
        self.in_flight -= 1
        self._wake_waiters()

    def _wake_waiters(self) -> None:
        while self._waiters and self.in_flight < self.limit:
            waiter = self._waiters.popleft()
            if not waiter.cancelled():
                self.in_flight += 1
                waiter.set_result(None)

    def on_throttled(self) -> None:
        """The server answered 429: halve the limit, once per burst."""
        now = self._clock()
        if now - self._last_decrease >= self.BURST_S:
            self._last_decrease = now
            self._limit = max(1.0, self._limit / 2)

    def on_success(self) -> None:
        """An answer came: open up again, by one slot after ten of them."""
        if self._limit < self.max_concurrency:
            self._limit = min(float(self.max_concurrency), self._limit + self.INCREASE_PER_SUCCESS)
            self._wake_waiters()


class RateLimiter:
    """Starts at most `per_minute` units of work a minute, evenly; None: no limit.

    One unit is a request; it may as well be a token, because a cost of any size is accepted: it delays what
    comes after it, never itself for ever.
    """

    def __init__(self, per_minute: float | None, clock: Clock = time.monotonic) -> None:
        self._unit_s = 60.0 / per_minute if per_minute else 0.0
        self._clock = clock
        self._next_start = float("-inf")

    def reserve(self, cost: float = 1.0) -> float:
        """Reserve the next start and return the seconds until it."""
        now = self._clock()
        start = max(now, self._next_start)
        self._next_start = start + cost * self._unit_s
        return start - now

    def refund(self, cost: float) -> None:
        """Give back what was reserved in excess: a reply is nearly always shorter than it might have been."""
        self._next_start -= cost * self._unit_s


class EndpointLimits(NamedTuple):
    """What one endpoint may be sent; shared by all requests of a client."""

    concurrency: ConcurrencyLimiter
    requests: RateLimiter
    tokens: RateLimiter

    @classmethod
    def of(cls, endpoint: Endpoint) -> EndpointLimits:
        """The limits that a profile sets for `endpoint`."""
        return cls(
            ConcurrencyLimiter(endpoint.concurrency),
            RateLimiter(endpoint.requests_per_minute),
            RateLimiter(endpoint.tokens_per_minute),
        )
