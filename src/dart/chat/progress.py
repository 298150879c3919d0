"""One line on how far a stage is and what it has cost: rewritten in place on a terminal, else now and then.

Here because a run of thousands of paid calls must be seen to be stopped in time. Times appear on stderr only, never
in an out.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from dart.chat.tasks import UsageTracker

TERMINAL_S = 0.2
PLAIN_S = 30.0


class Progress:
    """Writes to stderr (as it is when the `ask` begins) at most every 0.2 s on a terminal and every 30 s elsewhere."""

    def __init__(
        self,
        stage: str,
        total: int,
        tracker: UsageTracker,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stage = stage
        self._total = total
        self._tracker = tracker
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._terminal = self._stream.isatty()
        self._start = self._next = clock()
        self._next += TERMINAL_S if self._terminal else PLAIN_S
        self.done = 0
        self.failed = 0

    def advance(self, *, failed: bool) -> None:
        """One more task is finished."""
        self.done += 1
        self.failed += failed
        now = self._clock()
        if now >= self._next:
            self._next = now + (TERMINAL_S if self._terminal else PLAIN_S)
            self._write(now)

    def close(self) -> None:
        """The last line, also when the stage ends before its tasks do."""
        self._write(self._clock())
        if self._terminal:
            self._stream.write("\n")
            self._stream.flush()

    def _write(self, now: float) -> None:
        elapsed = max(now - self._start, 1e-9)
        line = (
            f"{self._stage}: {self.done}/{self._total} done, {self._tracker.cached} cached, {self.failed} failed, "
            f"{self._tracker.calls / elapsed:.1f} requests/s, {self._tracker.usd:.4f} USD"
        )
        self._stream.write(f"\r{line}\x1b[K" if self._terminal else f"{line}\n")
        self._stream.flush()
