"""A table as a value, and how numbers stand in it.

One structure for all tables of the paper, so that a number is formatted once and every rendering (`markdown`,
`latex`, `page`) shows the same. What a run did not measure is marked and explained, never left out and never made up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import model_validator

from dart.core.records import Record
from dart.stats.paired import p_text

NONE = "–"
UNDEFINED = "undefined"  # a number that this run's results do not have, as a share of nothing
PAPERS = ("Paper", "The paper")  # columns with numbers that the paper prints begin with it
NOT_RUN = "not run"  # a number that this run did not produce; `Table.needs` says what would
Row = tuple[str, ...]
Status = Literal["regenerated", "partly", "not run"]


class Body(NamedTuple):
    """Rows, and the indices of those with a line above them."""

    rows: tuple[Row, ...]
    rules: tuple[int, ...]


def ruled(groups: Iterable[Iterable[Row]]) -> Body:
    """The rows of all groups with a line between the groups, e.g. between students."""
    rows: list[Row] = []
    rules: list[int] = []
    for group in groups:
        start = len(rows)
        rows += group
        if 0 < start < len(rows):
            rules.append(start)
    return Body(tuple(rows), tuple(rules))


class Table(Record):
    """`number` is the paper's, or a letter for a table of ours; `rules` are rows with a line above them.

    `needs` says what would fill the rows marked "not run"; `measured` is false where no row holds a number of this
    run. A column without a value in any row makes the table incomplete, too, unless it shows the paper's numbers or is
    in `ours`, the columns that the paper's table does not have. `wrapped` are columns of running text. A table that
    shows texts of prompts and answers has a `warning`, which every rendering puts before the first row.
    """

    number: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    rules: tuple[int, ...] = ()
    note: str = ""
    needs: str = ""
    measured: bool = True
    ours: tuple[str, ...] = ()
    warning: str = ""
    folded: bool = False  # its texts may offend: the page shows them on a click only
    wrapped: tuple[int, ...] = ()
    simulated: bool

    @model_validator(mode="after")
    def _is_consistent(self) -> Table:
        for index, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(f"row {index} has {len(row)} cells, but the table has {len(self.columns)} columns")
        if any(NOT_RUN in row for row in self.rows) != bool(self.needs):
            raise ValueError(f"table {self.number}: `needs` must be set if and only if a row is marked {NOT_RUN!r}")
        if not self.measured and not self.needs:
            raise ValueError(f"table {self.number}: `needs` must be set if `measured` is false")
        return self

    @property
    def empty_columns(self) -> tuple[str, ...]:
        """Columns of a table of the paper that have no value of this run, though their rows have run."""
        if not self.number.isdigit() or not self.measured:
            return ()
        return tuple(
            name
            for name, cells in zip(self.columns, zip(*self.rows, strict=True), strict=False)
            if set(cells) == {NONE} and name not in self.ours and not name.startswith(PAPERS)
        )

    def without_empty(self) -> Table:
        """The table without those columns of ours that have no value in any row.

        What the embedded world knows is such a column in a measured run, whose rows may not have run either.
        """
        columns = zip(*self.rows, strict=True)
        dropped = {
            index
            for index, (name, cells) in enumerate(zip(self.columns, columns, strict=False))
            if name in self.ours and set(cells) <= {NONE, NOT_RUN} and (NONE in cells or not self.simulated)
        }
        if not dropped:
            return self
        left = [index for index in range(len(self.columns)) if index not in dropped]
        return self.model_copy(
            update={
                "columns": tuple(self.columns[index] for index in left),
                "rows": tuple(tuple(row[index] for index in left) for row in self.rows),
                "wrapped": tuple(left.index(index) for index in self.wrapped if index in left),
            }
        )

    @property
    def status(self) -> Status:
        """How much of the table this run filled."""
        return "not run" if not self.measured else "partly" if self.lacks else "regenerated"

    @property
    def lacks(self) -> str:
        """What would complete the table; empty where it is complete."""
        columns = ", ".join(self.empty_columns)
        return " ".join(text for text in (self.needs, f"values of this run for {columns}." if columns else "") if text)

    @property
    def stem(self) -> str:
        """Name of its files, without the ending."""
        return f"table{int(self.number):02d}" if self.number.isdigit() else f"table_{self.number.lower()}"

    @property
    def left_columns(self) -> tuple[bool, ...]:
        """Which columns are words, set flush left; columns with numbers are set flush right."""
        columns = zip(*self.rows, strict=True) if self.rows else ((),) * len(self.columns)
        words = (all(text[:1].isalpha() for text in column) for column in columns)
        return tuple(index in self.wrapped or left for index, left in enumerate(words))

    @property
    def remarks(self) -> tuple[str, ...]:
        """What stands below the table."""
        return tuple(text for text in (self.note, f"Not run: {self.lacks}" if self.lacks else "") if text)

    @property
    def heading(self) -> str:
        return f"Table {self.number}{' (simulated)' if self.simulated else ''}: {self.title}"


def number(value: float | None, digits: int = 3) -> str:
    """0.390, or a dash where nothing could be counted."""
    return NONE if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 3) -> str:
    """+0.298 or −0.007, with a true minus sign."""
    return NONE if value is None else f"{_no_negative_zero(value, digits):+.{digits}f}".replace("-", "−")


def _no_negative_zero(value: float, digits: int) -> float:
    return round(value, digits) + 0.0


def percent(value: float | None, digits: int = 1, sign: bool = False) -> str:
    """A share as a percentage."""
    if value is None:
        return NONE
    percentage = _no_negative_zero(100 * value, digits)
    text = f"{percentage:+.{digits}f} %" if sign else f"{percentage:.{digits}f} %"
    return text.replace("-", "−")


def bounds(interval: Sequence[float] | None, digits: int = 3, sign: bool = True) -> str:
    """[low, high] of a JSON interval."""
    if interval is None:
        return NONE
    low, high = (signed(bound, digits) if sign else number(bound, digits) for bound in interval)
    return f"[{low}, {high}]"


def p_value(value: float | None) -> str:
    """A p-value: three decimals, or its power of ten when smaller; "< 1e-300" where it underflows."""
    return NONE if value is None else p_text(value)


def cell(value: Any) -> str:
    """A setting as it stands in its file."""
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value)
    return NONE if value is None else str(value)
