"""A table as Markdown.

A table of a simulated run says so in its heading, and texts of prompts and answers stand below a content warning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dart.report.table import Table


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
