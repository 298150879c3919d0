"""CSV sheets that people fill in with a spreadsheet program: written safely, read back strictly.

The texts of a sheet come from models and published suites, so a cell must never be executed as a formula; and people
make mistakes, so that all problems of a sheet are reported at once, by row. Appendices L, O.4.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from dart.core.errors import DataError

MAX_PROBLEMS = 5  # named in one message
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet program executes what begins with one of these


def quoted_text(text: str) -> str:
    """`text` in a form that a spreadsheet program displays and does not execute."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


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
        DataError: a column is missing.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    absent = [column for column in columns if column not in (reader.fieldnames or ())]
    if absent:
        raise DataError(
            f"{name}, row 1: there is no column {', '.join(absent)}. Fill in the sheet in the form in which it was "
            "written."
        )
    return [
        (number, {column: (row[column] or "").strip().lower() for column in columns})
        for number, row in enumerate(reader, start=2)
    ]


def require_no_problems(problems: Sequence[str], name: str) -> None:
    """Refuse a sheet with problems.

    Raises:
        DataError: with their number and the first of them.
    """
    if problems:
        more = f"\n  and {len(problems) - MAX_PROBLEMS} more" if len(problems) > MAX_PROBLEMS else ""
        raise DataError(f"{name}: {len(problems)} problems:\n  " + "\n  ".join(problems[:MAX_PROBLEMS]) + more)
