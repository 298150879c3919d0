"""Characters that change what a reader sees without being seen, made visible.

Texts of models, servers and files of one's own reach terminals, pages and tables. An escape sequence clears a terminal
or writes a line that no program has printed; a bidirectional override shows a text backwards; a zero-width character
makes two names look alike.
"""

from __future__ import annotations

import logging
import re
import reprlib
from typing import Any

# Control, zero-width and bidirectional characters, invisible operators and fillers, tags, the byte order mark, and
# halves of characters. Joiners belong to some scripts and emoji, too, and are as invisible everywhere else. The sixteen
# variation selectors of emoji pass: they follow what they change.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\ud800-\udfff]"
)
MAX_NAME = 100  # characters
_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 80


def visible(text: str) -> str:
    """`text` with each such character as its code point, [U+202E]; line breaks and tabs stay."""
    return _INVISIBLE.sub(lambda match: f"[U+{ord(match[0]):04X}]", text)


def short(value: Any) -> str:
    """A value as it would be written in Python: its beginning, whatever its size, and visible."""
    try:
        return visible(_short.repr(value))
    except ValueError:  # an int beyond Python's limit of digits, written in hexadecimal
        return f"a number of {value.bit_length()} bits" if isinstance(value, int) else f"a {type(value).__name__}"


def shown(name: str) -> str:
    """A name in a message: visible, and cut where it is long."""
    return visible(name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}...")


def one_line(text: str, max_characters: int) -> str:
    """`text` on one line, visible, and at most so long: a quotation inside a message of our own."""
    line = " ".join(visible(text[: 4 * max_characters].replace("\r", " ")).split())
    return line if len(line) <= max_characters else line[: max_characters - 3] + "..."


class VisibleFormatter(logging.Formatter):
    """Log lines through `visible`, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's line as a terminal may show it."""
        return visible(super().format(record))
