"""A table as a value, and its three renderings: Markdown, LaTeX (booktabs) and an HTML fragment.

One structure for all tables of the paper, so that a number is formatted once and every rendering shows the same.
A table of a simulated run says so in its heading, in all three.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any

from pydantic import model_validator

from dart.records import Record

NONE = "–"

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "Δ": r"$\Delta$",
    "τ": r"$\tau$",
    "κ": r"$\kappa$",
    "α": r"$\alpha$",
    "→": r"$\to$",
    "−": "$-$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "≥": r"$\ge$",
    "≤": r"$\le$",
    "⁵": "$^{5}$",
    "–": "--",
    "…": r"\dots{}",
}
_COLUMNS_THAT_FIT = 6


class Table(Record):
    """`number` is the paper's, or a letter for a table of ours; `rules` are rows with a line above them."""

    number: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    rules: tuple[int, ...] = ()
    note: str = ""
    simulated: bool

    @model_validator(mode="after")
    def _is_rectangular(self) -> Table:
        for index, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(f"row {index} has {len(row)} cells, the table {len(self.columns)} columns")
        return self

    @property
    def stem(self) -> str:
        """Name of its files, without the ending."""
        return f"table{int(self.number):02d}" if self.number.isdigit() else f"table_{self.number.lower()}"

    @property
    def left_columns(self) -> tuple[bool, ...]:
        """Which columns are words, set flush left; columns with numbers are set flush right."""
        columns = zip(*self.rows, strict=True) if self.rows else ((),) * len(self.columns)
        return tuple(all(text[:1].isalpha() for text in column) for column in columns)

    @property
    def heading(self) -> str:
        return f"Table {self.number}{' (simulated)' if self.simulated else ''}: {self.title}"


def markdown(table: Table) -> str:
    """GitHub-flavoured Markdown with heading and note."""
    lines = [f"### {_md(table.heading)}", "", _md_row(table.columns)]
    lines.append("|" + "|".join(" :-- " if left else " --: " for left in table.left_columns) + "|")
    lines += [_md_row(row) for row in table.rows]
    if table.note:
        lines += ["", _md(table.note)]
    return "\n".join(lines) + "\n"


def _md(text: str) -> str:
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", text)


def _md_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_md(cell) for cell in cells) + " |"


def latex(table: Table) -> str:
    r"""A `table` environment; needs the packages booktabs, and graphicx where the table is scaled to the line."""
    wide = len(table.columns) > _COLUMNS_THAT_FIT
    body = []
    for index, row in enumerate(table.rows):
        if index in table.rules:
            body.append(r"\midrule")
        body.append(" & ".join(latex_escape(cell) for cell in row) + r" \\")
    caption = f"{table.title}." + (" Simulated: embedded models." if table.simulated else "")
    note = [r"\par\smallskip", rf"{{\footnotesize {latex_escape(table.note)}\par}}"] if table.note else []
    return "\n".join(
        [
            f"% Table {table.number}",
            r"\begin{table}[t]",
            r"\centering\small",
            rf"\caption{{{latex_escape(caption)}}}",
            rf"\label{{tab:dart-{table.number.lower()}}}",
            *([r"\resizebox{\linewidth}{!}{%"] if wide else []),
            rf"\begin{{tabular}}{{{''.join('l' if left else 'r' for left in table.left_columns)}}}",
            r"\toprule",
            " & ".join(latex_escape(column) for column in table.columns) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}" + ("}" if wide else ""),
            *note,
            r"\end{table}",
            "",
        ]
    )


def latex_escape(text: str) -> str:
    """Text for LaTeX: special characters escaped, the mathematical signs that our tables use set as mathematics."""
    return "".join(_LATEX.get(character, character) for character in text)


def html_fragment(table: Table) -> str:
    """A <figure> with the table; styles come from the page."""
    names = zip(table.left_columns, table.columns, strict=True)
    head = "".join(f"<th{_left(left)}>{html.escape(column)}</th>" for left, column in names)
    rows = []
    for index, row in enumerate(table.rows):
        opening = '<tr class="rule">' if index in table.rules else "<tr>"
        cells = zip(table.left_columns, row, strict=True)
        rows.append(opening + "".join(f"<td{_left(left)}>{html.escape(cell)}</td>" for left, cell in cells) + "</tr>")
    note = f"<p class=note>{html.escape(table.note)}</p>\n" if table.note else ""
    return (
        f'<figure class="table" id="{table.stem}">\n<figcaption>{html.escape(table.heading)}</figcaption>\n'
        f"<div class=scroll><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n"
        + "\n".join(rows)
        + f"\n</tbody>\n</table></div>\n{note}</figure>\n"
    )


def _left(left: bool) -> str:
    return " class=left" if left else ""


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
    shown = _no_negative_zero(100 * value, digits)
    text = f"{shown:+.{digits}f} %" if sign else f"{shown:.{digits}f} %"
    return text.replace("-", "−")


def bounds(interval: Sequence[float] | None, digits: int = 3, sign: bool = True) -> str:
    """[low, high] of a JSON interval."""
    if interval is None:
        return NONE
    low, high = (signed(bound, digits) if sign else number(bound, digits) for bound in interval)
    return f"[{low}, {high}]"


def p_value(value: float | None) -> str:
    """A p-value: three decimals, or its power of ten when smaller."""
    if value is None:
        return NONE
    return f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"


def cell(value: Any) -> str:
    """A setting as it stands in its file."""
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value)
    return NONE if value is None else str(value)
