"""What a server says that an answer used, if it can be believed: the basis of every price.

Here because a missing, negative or absurd count must never lower a bill, raise another budget, or end a run: what is
not a count is unknown, and unknown usage stays charged at its worst case (`dart.chat.ledger`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_TOKENS = 100_000_000  # of one answer; a count above it was never counted
UNKNOWN = (0, 0)


def is_count(value: object) -> bool:
    """Whether `value` can be a number of tokens."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS


def token_counts(usage: object) -> tuple[int, int]:
    """(prompt tokens, completion tokens) of a reply's `usage`; `UNKNOWN` if either is missing or impossible."""
    if not isinstance(usage, Mapping):
        return UNKNOWN
    counts: list[Any] = [usage.get("prompt_tokens"), usage.get("completion_tokens")]
    whole = [int(count) if isinstance(count, float) and count.is_integer() else count for count in counts]
    return (whole[0], whole[1]) if all(map(is_count, whole)) else UNKNOWN


def is_known(prompt_tokens: int, completion_tokens: int, text: str) -> bool:
    """Whether a server has counted: a prompt always has tokens, and so has a text."""
    return prompt_tokens > 0 and (completion_tokens > 0 or not text)
