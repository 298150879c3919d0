"""A table as Markdown and as a fragment of HTML.

A table of a simulated run says so in its heading, and texts of prompts and answers stand below a content warning.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from dart.report.table import NOT_RUN, Table


def markdown(table: Table, level: int = 3) -> str:
    """GitHub-flavoured Markdown with heading, warning and remarks."""
    lines = [f"{'#' * level} {escaped(table.heading)}", ""]
    if table.warning:
        lines += [f"**{escaped(table.warning)}**", ""]
    lines += [_row(table.columns), "|" + "|".join(" :-- " if left else " --: " for left in table.left_columns) + "|"]
    lines += [_row(row) for row in table.rows]
    for remark in table.remarks:
        lines += ["", escaped(remark)]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text for Markdown: nothing in it is markup, and a line break cannot end a row."""
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", " ".join(text.split()))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(escaped(cell) for cell in cells) + " |"


def html_fragment(table: Table) -> str:
    """A <figure> with the table; styles come from the page. Texts of a real suite open on a click."""
    left = table.left_columns
    head = "".join(
        f"<th scope=col{_class(left[i])}>{html.escape(column)}</th>" for i, column in enumerate(table.columns)
    )
    rows = []
    for index, row in enumerate(table.rows):
        opening = '<tr class="rule">' if index in table.rules else "<tr>"
        cells = (
            f"<td{_class(left[i], i in table.wrapped, cell == NOT_RUN)}>{html.escape(cell)}</td>"
            for i, cell in enumerate(row)
        )
        rows.append(opening + "".join(cells) + "</tr>")
    body = (
        f"<div class=scroll><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n"
        + "\n".join(rows)
        + "\n</tbody>\n</table></div>\n"
    )
    if table.warning:
        opened = "" if table.folded else " open"
        summary = f'<summary class="warning">{html.escape(table.warning)}</summary>'
        body = f"<details{opened}>{summary}\n{body}</details>\n"
    notes = "".join(f"<p class=note>{html.escape(remark)}</p>\n" for remark in table.remarks)
    caption = f"<figcaption>{html.escape(table.heading)}</figcaption>"
    kind = "table words" if table.wrapped else "table"
    return f'<figure class="{kind}" id="{table.stem}">\n{caption}\n{body}{notes}</figure>\n'


def _class(left: bool, wrapped: bool = False, absent: bool = False) -> str:
    names = [name for name, given in (("left", left), ("wrapped", wrapped), ("absent", absent)) if given]
    return f' class="{" ".join(names)}"' if names else ""
