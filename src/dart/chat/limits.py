"""How many requests run at once and how many start per minute: `Slots` adapts to 429, `Pacer` keeps the rate.

The published rate limiter hung for ever on a prompt larger than its bucket. Neither class here can: a `Pacer`
lets everything start and pays for it afterwards (debt instead of a bucket that must first be full), and `Slots`
never goes below one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

Clock = Callable[[], float]


class ConcurrencyLimiter:
    """At most `most` requests in flight; fewer after a 429, back up by one after every ten that succeed.

    First come, first served. One burst of 429 (everything in flight is refused at once) counts as one signal.
    """

    BURST_S = 1.0
    RECOVERY = 0.1

    def __init__(self, most: int, clock: Clock = time.monotonic) -> None:
        self.most = most
        self.in_flight = 0
        self._limit = float(most)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._clock = clock
        self._cut_at = float("-inf")

    @property
    def limit(self) -> int:
        """How many may be in flight now; at least 1."""
        return int(self._limit)

    async def acquire(self) -> None:
        """Take a slot, waiting for one if need be."""
        if self.in_flight < self.limit and not self._waiting:
            self.in_flight += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.release()  # the slot was handed over in the same moment: pass it on, or it is lost
            raise

    def release(self) -> None:
        """Give a slot back and hand free ones to those who wait."""
        self.in_flight -= 1
        self._hand_out()

    def _hand_out(self) -> None:
        while self._waiting and self.in_flight < self.limit:
            turn = self._waiting.popleft()
            if not turn.cancelled():
                self.in_flight += 1
                turn.set_result(None)

    def throttled(self) -> None:
        """The server said 429: halve the limit, once per burst."""
        now = self._clock()
        if now - self._cut_at >= self.BURST_S:
            self._cut_at = now
            self._limit = max(1.0, self._limit / 2)

    def succeeded(self) -> None:
        """An answer came: open up again, slowly."""
        if self._limit < self.most:
            self._limit = min(float(self.most), self._limit + self.RECOVERY)
            self._hand_out()


class RateLimiter:
    """Starts at most `per_minute` units of work a minute, evenly; None: no limit.

    One unit is a request; it may as well be a token, because a cost of any size is accepted: it delays what
    comes after it, never itself for ever.
    """

    def __init__(self, per_minute: float | None, clock: Clock = time.monotonic) -> None:
        self._unit_s = 60.0 / per_minute if per_minute else 0.0
        self._clock = clock
        self._free_at = float("-inf")

    def reserve(self, cost: float = 1.0) -> float:
        """Book the next start and return the seconds until it."""
        now = self._clock()
        start = max(now, self._free_at)
        self._free_at = start + cost * self._unit_s
        return start - now

    def refund(self, cost: float) -> None:
        """Give back what was booked too much: a reply is nearly always shorter than it might have been."""
        self._free_at -= cost * self._unit_s
