"""A sign of life while an estimate is computed: which stage it is at, on stderr.

With a full cache every conversation of a run is followed through it, which takes minutes.
"""

from __future__ import annotations

import sys
import time
from typing import TextIO

TERMINAL_S, PLAIN_S = 0.2, 10.0


class SignOfLife:
    """Call it with what is done now; a terminal shows one line that changes, a log a line every ten seconds."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()
        self._next = time.monotonic() + (TERMINAL_S if self._terminal else PLAIN_S)

    def __call__(self, what: str) -> None:
        """Say it, unless something was said a moment ago."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + (TERMINAL_S if self._terminal else PLAIN_S)
            self._stream.write(f"\rdart estimate: {what}\x1b[K" if self._terminal else f"dart estimate: {what}\n")
            self._stream.flush()

    def close(self) -> None:
        """Take the line away."""
        if self._terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
