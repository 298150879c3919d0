"""A few lines on how far a training is, however long it trains: tenths, not more often than every half minute.

A log of thousands of steps hides the lines that matter; the whole curve stands in the adapter's log.json.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

TENTHS = 10
PAUSE_S = 30.0


class StepLog:
    """Lines about one training: the first step, then one per tenth, and the last step.

    Between two lines of a process lie 30 s, so that many short trainings in a row do not fill the log either; the
    last step is always said.
    """

    _next_s = float("-inf")  # of the process: trainings follow each other

    def __init__(self, log: logging.Logger, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._total = total
        self._clock = clock
        self._tenth = -1

    def report(self, step: int, loss: float) -> None:
        """`step` of the total, counted from 1, is done."""
        tenth, now = TENTHS * step // self._total, self._clock()
        due = tenth > self._tenth and now >= StepLog._next_s
        if due or step == self._total:
            self._tenth = tenth
            StepLog._next_s = now + PAUSE_S
            self._log.info("step %d of %d: loss %.4f", step, self._total, loss)
