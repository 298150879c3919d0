"""Stage `paper`: every table and figure of the run as Markdown, LaTeX, PNG, SVG, PDF, one page, and the coverage."""

from __future__ import annotations

import shutil
from pathlib import Path

from dart.core import layout, params
from dart.core.files import replacing, write_json
from dart.metrics.run import Settings
from dart.report.evidence import load_paper_run
from dart.report.writer import write_paper


def run() -> None:
    given = params.load("paper")
    settings = Settings(
        label=given.world("label"), tau_delta=given.tau_delta, severity_weights=given.severity_weights,
    )  # fmt: skip
    coverage = write_paper(load_paper_run(Path(), given.students, settings), layout.REPORT)
    write_json(layout.METRICS / "coverage.json", coverage)
    with replacing(layout.PLOTS / "figures") as folder:  # in git, so that README and a review can show them
        folder.mkdir()
        for figure in sorted(layout.REPORT.glob("*.png")):
            shutil.copy(figure, folder)
