"""The sample viewer as one HTML file: no server, nothing fetched, texts masked until the reader asks for them.

Texts of models and benchmarks are data: they stand compressed in a script element, and the script shows them as text
nodes alone. A content security policy forbids the page every request.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dart.viewer.archive import script_json

ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
FILE = "viewer.html"


def viewer_html(runs: Sequence[dict[str, Any]], title: str = "Samples of this run") -> str:
    """The page.

    Args:
        runs: one archive, or two to show side by side: this run, and the one it is compared with.
    """
    return ENVIRONMENT.get_template("viewer.html.j2").render(title=title, samples=script_json({"runs": list(runs)}))
