"""Text from elsewhere as a terminal may show it: servers, archives and other people's files cannot steer the screen.

An escape sequence in a server's explanation can set the window's title, clear the screen or write a line that looks
like ours; a direction override can turn a word around. Such characters are spelt (backslash x1b) where text is printed.
"""

from __future__ import annotations

import logging
import re

# C0 but tab and newline, DEL, C1, line separators, zero-width and direction controls, half surrogates, byte order mark
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)


def printable(text: str) -> str:
    """`text` with every control character spelt; tabs and newlines stay."""
    return _UNSAFE.sub(_spelt, text)


def one_line(text: str, max_characters: int) -> str:
    """`text` on one line, printable, and at most so long: a quotation inside a message of our own."""
    line = " ".join(printable(text[: 4 * max_characters]).split())
    return line if len(line) <= max_characters else line[: max_characters - 3] + "..."


def _spelt(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


class PrintableFormatter(logging.Formatter):
    """Log lines through `printable`, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's line as a terminal may show it."""
        return printable(super().format(record))
