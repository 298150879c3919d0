"""CSV sheets that people fill in with a spreadsheet program: written safely, read back strictly.

The texts of a sheet come from models and published suites, so a cell must never be executed as a formula; and people
make mistakes, so that all problems of a sheet are reported at once, by row. Appendices L, O.4.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence

from dart.core.errors import DataError
from dart.core.text_files import csv_rows

MAX_PROBLEMS = 5  # named in one message
# A spreadsheet program executes a cell that begins with one of these, narrow or full-width; it may leave out what is
# blank or invisible before it. Where the country's delimiter is a semicolon or the file is read as tab text, a cell
# begins behind these too, and behind a line break whose quotes are then none.
_CELL_START = r"(?:^|[;\t\r\n\v\f\x85\u2028\u2029])[\s\x00-\x1f\u200b-\u200f\u2060\ufeff\"']*"
_FORMULA = re.compile(rf"({_CELL_START})([=+\-@＝＋－＠])")
_NUMBER = re.compile(r"\d+(e\d+)?")
_STARTS_BLANK = ("\t", "\r", "\n")  # some programs take these for the beginning of a formula, whatever follows


def quoted_text(text: str) -> str:
    """`text` in a form that a spreadsheet program displays and does not execute, in any locale.

    An apostrophe stands before every character that would begin a formula; a text that has none is returned as it is.
    """
    quoted = _FORMULA.sub(r"\1'\2", text)
    return f"'{quoted}" if quoted.startswith(_STARTS_BLANK) else quoted


def row_code(digest: str) -> str:
    """Twelve digits of a hexadecimal digest that no spreadsheet program takes for a number, as it does 1234567e8901."""
    codes = (digest[start : start + 12] for start in range(len(digest) - 11))
    return next(code for code in codes if not _NUMBER.fullmatch(code))


def to_csv(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    """The sheet as CSV with a header; every row has all `columns`."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def read_csv(text: str, name: str, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """(row number, cells of `columns` in lower case, outer spaces removed) of every row; other columns are ignored.

    Row numbers are those that a spreadsheet program shows: the header is row 1.

    Args:
        name: of the file, for messages.

    Raises:
        DataError: a column is missing or stands there twice, or quotes do not match.
    """
    rows = []
    header: list[str] | None = None
    try:
        for number, (_, cells) in enumerate(csv_rows(text.removeprefix("\ufeff"), columns), start=1):
            if header is None:
                header = [name.strip().strip("\ufeff").lower() for name in cells]
                _require_columns(header, columns, name)
            else:
                row = dict(zip(header, cells, strict=False))
                rows.append((number, {column: row.get(column, "").strip().lower() for column in columns}))
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name}, {error}. Save the sheet as CSV again.") from None
    if header is None:
        raise DataError(f"{name}: the sheet is empty. Fill in the sheet in the form in which it was written.")
    return rows


def _require_columns(header: Sequence[str], columns: Sequence[str], name: str) -> None:
    absent = [column for column in columns if column not in header]
    if absent:
        raise DataError(
            f"{name}, row 1: there is no column {', '.join(absent)}. Fill in the sheet in the form in which it was "
            "written."
        )
    if twice := [column for column in columns if header.count(column) > 1]:
        raise DataError(f"{name}, row 1: there are two columns {', '.join(twice)}. Delete one.")


def require_no_problems(problems: Sequence[str], name: str) -> None:
    """Refuse a sheet with problems.

    Raises:
        DataError: with their number and the first of them.
    """
    if problems:
        more = f"\n  and {len(problems) - MAX_PROBLEMS} more" if len(problems) > MAX_PROBLEMS else ""
        raise DataError(f"{name}: {len(problems)} problems:\n  " + "\n  ".join(problems[:MAX_PROBLEMS]) + more)
