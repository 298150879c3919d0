"""The paper's results as files: every table in Markdown and LaTeX, the figures, one page, one LaTeX document.

Everything is made before the first byte is written, so that an error in any table leaves no partial folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dart.core.files import replacing
from dart.report.contents import account, coverage_table, tables
from dart.report.evidence import PaperRun
from dart.report.figures import figures
from dart.report.latex import document, latex
from dart.report.markdown import markdown
from dart.report.page import page_html, page_markdown, parts
from dart.report.row_links import Viewer
from dart.report.summary import label


def write_paper(run: PaperRun, out: Path, state: str = "", viewer: Viewer | None = None) -> dict[str, Any]:
    """Write the folder `out` (table*.md, table*.tex, tables.tex, figure*.png, .svg, .pdf, index.md, index.html).

    Returns the coverage, the contents of metrics/coverage.json.

    Args:
        state: what the page says of the working tree; empty for an out of a stage, which must not depend on it.
        viewer: every sample, written beside the page.

    Raises:
        DataError: the run has not been evaluated.
    """
    sections = tables(run)
    images = figures(run)
    coverage = account(run, [table for section_tables in sections.values() for table in section_tables])
    table_c = coverage_table(run, coverage)
    content = parts(sections, images)
    texts = {
        "index.md": page_markdown(run, content, table_c, state),
        "index.html": page_html(run, content, table_c, images, state, viewer),
        "tables.tex": document(
            [*((part.section.title, part.tables) for part in content), ("Coverage", [table_c])], label(run)
        ),
    }
    for table in (*(table for part in content for table in part.tables), table_c):
        texts |= {f"{table.stem}.md": markdown(table), f"{table.stem}.tex": latex(table)}
    if viewer is not None:
        texts[viewer.file] = viewer.html
    with replacing(out) as folder:
        folder.mkdir()
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        for name, image in images.items():
            (folder / name).write_bytes(image)
    return coverage
