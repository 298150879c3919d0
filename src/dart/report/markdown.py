"""A table as Markdown.

A table of a simulated run says so in its heading, and texts of prompts and answers stand below a content warning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dart.core.visible_text import visible
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


# Besides markup of CommonMark: entities, mathematics, strikethrough, links, mentions, issues and emoji of GitHub.
_MARKUP = re.compile(
    r"[\\`*_|<>\[\]$~@]|&(?=#?\w+;)|#(?=\w)"
    r"|(?<=http):(?=//)|(?<=https):(?=//)|(?<=ftp):(?=//)|(?<=www)\.|:(?=[\w+-]+:)",
    re.IGNORECASE,
)


def escaped(text: str) -> str:
    """Text for Markdown: nothing in it is markup or a link, a line break cannot end a row, and all of it is seen."""
    return _MARKUP.sub(r"\\\g<0>", visible(" ".join(text.split())))


def fenced(text: str) -> list[str]:
    """Lines of a code block that `text` cannot end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", visible(text), fence]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(escaped(cell) for cell in cells) + " |"
