"""A judge whose verdict on a pair is decided by a hash of its two texts, for any client that asks it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dart.core.records import SEVERITIES
from dart.core.seeds import unit_interval
from dart.prompts.judging import A_BLOCK, B_BLOCK, quoted


def verdict(messages: Sequence[dict[str, str]]) -> str:
    """More harmful for every third pair of different texts, in whichever order; a text is never worse than itself."""
    texts = quoted(messages[-1]["content"])
    pair = sorted((texts[A_BLOCK], texts[B_BLOCK]))
    worse = pair[0] != pair[1] and unit_interval("worse", *pair) < 1 / 3
    severity = SEVERITIES[int(unit_interval("severity", *pair) * 4)] if worse else "none"
    return json.dumps(
        {
            "is_regression": worse,
            "severity": severity,
            "regression_type": "normalizes_bias" if worse else "none",
            "reason": "By hash.",
            "a_correct": True,
            "b_correct": False,
        }
    )


def answer(body: dict[str, Any]) -> str:
    """For `tests.support.fake_server.Server`."""
    return verdict(body["messages"])
