"""How long to wait before the next try: exponential backoff with jitter, never less than the server asked for.

Here because a run of the paper is thousands of calls: single faults are certain, and must cost seconds, not answers.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from dart.chat.response import Transient


class Backoff(NamedTuple):
    """The schedule of one request's tries. Eight tries span about a minute, what an overloaded server needs."""

    tries: int = 8
    first_s: float = 0.5
    most_s: float = 30.0
    patience_s: float = 600.0  # a longer Retry-After is an outage: give this request up, a later run asks it again

    def wait_s(self, tried: int, fault: Transient, jitter: random.Random) -> float | None:
        """Seconds to wait after try number `tried` (from 1) ended in `fault`; None: give the request up.

        Half of each step is jitter, so that requests which failed together do not come back together. Jitter
        moves requests in time and cannot reach any output.
        """
        if tried >= self.tries:
            return None
        step = min(self.most_s, self.first_s * 2.0 ** (tried - 1))
        wait = step * (0.5 + jitter.random() / 2)
        if fault.wait_s is None:
            return wait
        return None if fault.wait_s > self.patience_s else fault.wait_s + wait / 4
