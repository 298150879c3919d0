"""Collect distinct questions of both conditions from a family's random draws.

One rule for all families: a family draws candidates from the facts, and the collector keeps the first
`count` distinct questions of each condition. So base rates are exact and no question text occurs twice.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from dart.core.errors import DataError
from dart.core.records import Condition

# Draws per item before a family counts as exhausted; the largest family needs about 6.
_MAX_DRAWS_PER_ITEM = 60


class Candidate(NamedTuple):
    """A question with its options. `answer` as in the real suite: see the data's own description.

    DIFF: index of the right option. EQUAL: 2 in D1-D4; in N1-N4 the index of the tempting wrong option.
    """

    condition: Condition
    question: str
    answer: int
    scenario: str | None = None  # None: a scenario of its own


Family = Callable[[random.Random], Candidate]


def question(text: str, first: str, second: str, neither: str) -> str:
    """The shape of all eight benchmarks: the text, a line break, and the options on one line."""
    return f"{text}\n(a) {first} (b) {second} (c) {neither}"


def collect(name: str, family: Family, count: int, draw: random.Random) -> list[list[list[int | str]]]:
    """``[diff, equal]``, each `count` entries ``[question, answer, scenario id]``, in the order drawn.

    Raises:
        DataError: the family has too few distinct questions.
    """
    halves: dict[str, list[list[int | str]]] = {"DIFF": [], "EQUAL": []}
    seen: set[str] = set()
    for _ in range(count * _MAX_DRAWS_PER_ITEM):
        candidate = family(draw)
        half = halves[candidate.condition]
        if len(half) < count and candidate.question not in seen:
            seen.add(candidate.question)
            scenario = candidate.scenario or f"{candidate.condition}-{len(half)}"
            half.append([candidate.question, candidate.answer, scenario])
        if len(halves["DIFF"]) == len(halves["EQUAL"]) == count:
            return [halves["DIFF"], halves["EQUAL"]]
    raise DataError(
        f"The embedded suite does not have {count} distinct questions per condition of {name} "
        f"(found {len(halves['DIFF'])} and {len(halves['EQUAL'])}). Ask for fewer items."
    )
