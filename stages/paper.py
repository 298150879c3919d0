"""Stage `paper`: every table and figure of the run as Markdown, LaTeX, PNG, SVG and one self-contained page."""

from __future__ import annotations

import shutil
from pathlib import Path

from dart import params
from dart.paper.report import write_paper
from dart.paper.run import Settings, load_run
from dart.records import replacing
from stages import paths


def run() -> None:
    given = params.load("paper")
    settings = Settings(
        label=given.world("label"), tau_delta=given.tau_delta, severity_weights=given.severity_weights,
    )  # fmt: skip
    write_paper(load_run(Path(), given.students, settings), paths.PAPER)
    with replacing(paths.PLOTS / "figures") as folder:  # in git, so that README and a review can show them
        folder.mkdir()
        for figure in sorted(paths.PAPER.glob("*.png")):
            shutil.copy(figure, folder)
