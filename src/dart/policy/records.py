"""The records of the policy stage and the names of its schemes (Section 2.6, Table 34)."""

from __future__ import annotations

from typing import Literal, get_args

from dart.core.records import Generation, Label, Record

Scheme = Literal["two_pass", "single_pass", "always_on", "oracle", "random"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)


class Premise(Record):
    """The premise of a prompt: the words of the list that it contains, and H(x)."""

    item_id: str
    keywords: tuple[str, ...]
    toxicity: float  # H of the prompt's text, in [0, 1]
    harmful: bool


class PolicyAnswer(Generation):
    """A student's answer under a policy, or, where the scheme chose none, the answer of the first pass."""

    decision: Label | None  # whose policy the prompt had; None is the neutral instruction
    harmful_premise: bool  # whether the constraint of F.3 was added
