"""The parser of a student's answer: rationale and conclusion line (Section 2.3, "structured format").

The decision and the text that the harm classifiers score are separated here, once, for every table: the last
well-formed line decides, markdown around it is tolerated, and a line with both labels is not a conclusion.
"""

from __future__ import annotations

import re
from typing import NamedTuple, cast

from dart.core.records import Label

_DECORATION = r"[\s>*_#`~\"'“”‘’()\[\]-]*"
_LINE = re.compile(rf"{_DECORATION}conclusion{_DECORATION}[::]{_DECORATION}(yes|no)[.!。]?{_DECORATION}", re.IGNORECASE)


class Parsed(NamedTuple):
    """A parsed answer. `prediction` is None if no line is a well-formed conclusion."""

    rationale: str
    prediction: Label | None


def label_of(line: str) -> Label | None:
    """The label of a line that consists of a conclusion alone; None for any other line."""
    match = _LINE.fullmatch(line)
    return cast(Label, match.group(1).upper()) if match else None


# Deviates from the paper: conclusion-line - a line of its own, the last one; the published code takes the first match
def parse(text: str) -> Parsed:
    """Split an answer into its rationale and its decision.

    The rationale is the text without its conclusion lines, stripped; a malformed conclusion stays in it.
    """
    prediction: Label | None = None
    rationale: list[str] = []
    for line in text.splitlines():
        label = label_of(line)
        if label is None:
            rationale.append(line)
        else:
            prediction = label
    return Parsed("\n".join(rationale).strip(), prediction)
