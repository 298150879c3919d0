"""Text, JSON lines and CSV as people's programs save them: any spreadsheet, any locale, and no surprise in memory.

A file of somebody's own may be anything. What cannot be read is said with its line; what JSON and CSV readers accept in
silence (a key twice, half of a character) is refused; what differs between spreadsheet programs and countries (BOM,
UTF-16, semicolons, tabs, ends of lines) is read.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dart.core.errors import DataError

MAX_BYTES = 100_000_000  # 50,000 answers of 2,000 characters
MAX_FIELD = 1_000_000  # characters of one cell
DELIMITERS = ",;\t|"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_SEPARATOR_LINE = re.compile(r"\"?sep=(.)\"?(\r\n|\r|\n)", re.IGNORECASE)  # how Excel names the delimiter


def read_text(path: Path, *, western: bool = False) -> str:
    """The text of a file in UTF-8, with or without BOM, or in UTF-16 with one.

    Args:
        western: read any other file as Windows-1252, for sheets of which only ASCII cells count.

    Raises:
        DataError: the file is missing, a folder, too large, or in another encoding.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path} has {path.stat().st_size} bytes; at most {MAX_BYTES} are read. Split it.")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
    try:
        return content.decode("utf-16" if content[:2] in _UTF16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        if western:
            return content.decode("cp1252", errors="replace")
        raise DataError(f"{path} is not UTF-8 (byte {error.start}). Save the file as UTF-8 text.") from None


def lines_of(text: str) -> list[str]:
    """Lines that end as on Unix, Windows or an old Macintosh; the other separators of Unicode may stand in a text."""
    return re.split(r"\r\n|\r|\n", text)


def json_object(line: str) -> dict[str, Any]:
    """The JSON object in a line.

    Raises:
        ValueError: it is not JSON or no object, a key occurs twice, or it holds half of a character (a surrogate), a
            number of thousands of digits, or lists inside lists without end.
    """
    try:
        value = json.loads(line, object_pairs_hook=_no_key_twice)
    except json.JSONDecodeError as error:
        raise ValueError(error.msg) from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not an object")
    if "\\ud" in line or "\\uD" in line:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("half of a character (a surrogate)") from None
    return value


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key occurs twice")
    return dict(pairs)


class CsvRow(NamedTuple):
    """Cells of a row, and the line of the file where it ends."""

    line: int
    cells: list[str]


def csv_rows(text: str, columns: Collection[str] = ()) -> Iterator[CsvRow]:
    """The rows of a CSV text, header first, with the delimiter that its header uses; empty rows are left out.

    Args:
        columns: names that the header is expected to have, which tell its delimiter from a character in a name.

    Raises:
        ValueError: quotes that do not match, or a cell above `MAX_FIELD`; the message names the line.
    """
    lines = 0
    if separator := _SEPARATOR_LINE.match(text):
        text, lines = text[separator.end() :], 1
    delimiter = separator[1] if separator else _delimiter(text, columns)
    before = csv.field_size_limit(MAX_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield CsvRow(reader.line_num + lines, cells)
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num + lines}: {error}") from None
    finally:
        csv.field_size_limit(before)


def _delimiter(text: str, columns: Collection[str]) -> str:
    header = re.split(r"[\r\n]", text.lstrip(), maxsplit=1)[0][:MAX_FIELD]

    def names(delimiter: str) -> list[str]:
        return [name.strip().strip('"').strip().lower() for name in header.split(delimiter)]

    return max(DELIMITERS, key=lambda delimiter: (len({*columns} & {*names(delimiter)}), len(names(delimiter))))
