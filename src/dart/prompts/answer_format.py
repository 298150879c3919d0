"""Read a student's decision from the conclusion line of its answer (Section 2.3, "structured format").

The decision and the text that the harm classifiers score are separated here, once, for every table: the last
well-formed line decides, markdown around it is tolerated, and a line that echoes both labels decides nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple, cast

from dart.core.records import Label

_DECORATION = r"[\s>*_#`~\"'“”‘’()\[\]-]*"
_LINE = re.compile(rf"{_DECORATION}conclusion{_DECORATION}[::]{_DECORATION}(yes|no)[.!。]?{_DECORATION}", re.IGNORECASE)


class Parsed(NamedTuple):
    """An answer taken apart. `prediction` is None when no line is a well-formed conclusion."""

    rationale: str
    prediction: Label | None


def label_of(line: str) -> Label | None:
    """The label of a line that is a conclusion and nothing else; None for any other line."""
    match = _LINE.fullmatch(line)
    return cast(Label, match.group(1).upper()) if match else None


def parse(text: str) -> Parsed:
    """Split an answer into its rationale and its decision.

    The rationale is the text without its conclusion lines, stripped; a malformed conclusion stays in it.
    """
    prediction: Label | None = None
    kept: list[str] = []
    for line in text.splitlines():
        label = label_of(line)
        if label is None:
            kept.append(line)
        else:
            prediction = label
    return Parsed("\n".join(kept).strip(), prediction)
