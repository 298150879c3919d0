"""When an `ask` sends nothing more: too many items are refused, or answers in a row are of no use.

Here because of the bill: a teacher whose every rationale is rejected is otherwise paid three times for each item, and
the stage succeeds with nothing to train on.
"""

from __future__ import annotations

from dart.core.refusal import Refusal

MANY_REFUSALS = 20  # below it an `ask` goes on, so that one run shows what is refused


class StoppingRules:
    """What an `ask` has seen of refusals and rejections; a reason to stop is returned once there is one."""

    def __init__(self, tasks: int, may_miss: float, stop_after_rejected: int | None) -> None:
        self.refusals: dict[str, Refusal] = {}  # by task key
        self._most = max(may_miss * tasks, MANY_REFUSALS)
        self._may_miss = may_miss
        self._stop_after_rejected = stop_after_rejected
        self._rejected_in_a_row = 0

    def after_answer(self, problem: str | None) -> str | None:
        """After an answer; `problem`: why its check rejected it, None if it passed."""
        self._rejected_in_a_row = 0 if problem is None else self._rejected_in_a_row + 1
        if self._stop_after_rejected is None or self._rejected_in_a_row < self._stop_after_rejected:
            return None
        first = (problem or "").splitlines()[:2]
        return (
            f"{self._rejected_in_a_row} answers in a row were rejected, corrections included; "
            f"the last one: {' '.join(first)}"
        )

    def after_refusal(self, key: str, refusal: Refusal) -> str | None:
        """After a refusal."""
        self.refusals[key] = refusal
        if len(self.refusals) <= self._most:
            return None
        return (
            f"{len(self.refusals)} tasks were refused before, which is above may_miss {self._may_miss:g}; "
            f"the last one: {refusal.problem}"
        )
