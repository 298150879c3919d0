"""A refusal as a result: which endpoint gave no usable answer about one item, and in which words.

Prompts about discrimination, asylum and slurs are moderated. An item that a teacher, a judge or a provider declines is
counted and shown by benchmark and label; it is never a verdict, never "safe", and never trained on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

RefusalKind = Literal["moderation", "model", "request", "unreadable"]

_PROBLEM = re.compile(
    r"refused by (?P<by>.+?) \((?P<kind>moderation|model|request|unreadable)"
    r"(?:, answered by (?P<fallback>.+?))?\): (?P<words>.*)",
    re.DOTALL,
)


class Refusal(BaseModel):
    """Why an endpoint gave no usable answer about one item.

    moderation: the provider's filter. model: the model declined. request: the server cannot take this one request.
    unreadable: no answer passed the check, corrections included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str  # the model that was asked
    kind: RefusalKind
    words: str  # of the server, the model, or the check; shortened
    fallback: str | None = None  # the model that answered in its place

    @property
    def problem(self) -> str:
        """As a clause for `Rationale.problems` and its like; `Refusal.of` reads it back."""
        instead = "" if self.fallback is None else f", answered by {self.fallback}"
        return f"refused by {self.by} ({self.kind}{instead}): {self.words}"

    @classmethod
    def of(cls, problems: Sequence[str]) -> Refusal | None:
        """The refusal among the problems of a rationale or a safe target; None if it was not refused."""
        match = next(filter(None, map(_PROBLEM.fullmatch, problems)), None)
        return None if match is None else cls.model_validate(match.groupdict())


def _is_none(value: object) -> bool:
    return value is None


# A field of a record that is absent from its file where there is none: files without refusals stay as they were.
RefusalField = Annotated[Refusal | None, Field(exclude_if=_is_none)]
