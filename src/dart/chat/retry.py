"""How long to wait before the next try: exponential backoff with jitter, never less than the server asked for.

Here because a run of the paper is thousands of calls: single errors are certain, and must cost seconds, not answers.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from dart.chat.response import TransientError


class Backoff(NamedTuple):
    """The schedule of one request's tries. Eight tries span about a minute, what an overloaded server needs."""

    max_tries: int = 8
    initial_s: float = 0.5
    max_s: float = 30.0
    max_retry_after_s: float = (
        600.0  # a longer Retry-After is an outage: give this request up, a later run asks it again
    )

    def wait_s(self, tries: int, error: TransientError, jitter: random.Random) -> float | None:
        """Seconds to wait after try number `tries` (from 1) ended in `error`; None: give the request up.

        Half of each step is jitter, so that requests which failed together do not come back together. Jitter
        moves requests in time and cannot reach any output.
        """
        if tries >= self.max_tries:
            return None
        step = min(self.max_s, self.initial_s * 2.0 ** (tries - 1))
        wait = step * (0.5 + jitter.random() / 2)
        if error.retry_after_s is None:
            return wait
        return None if error.retry_after_s > self.max_retry_after_s else error.retry_after_s + wait / 4
