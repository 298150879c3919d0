"""Stage `paper`: every table and figure of the run as Markdown, LaTeX, PNG, SVG, PDF, one page, and the coverage."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from dart.core import layout
from dart.core.files import read_json, replacing
from dart.core.params import StageParams, TrainingSeeds
from dart.core.schema.method import SeverityWeights
from dart.metrics.provenance import load_provenance, write_metrics
from dart.metrics.registry import families_metrics
from dart.metrics.run import Settings
from dart.report.evidence import load_paper_run
from dart.report.writer import write_paper


class Params(StageParams):
    students: tuple[str, ...]
    seeds: TrainingSeeds
    tau_delta: float
    severity_weights: SeverityWeights


def run() -> None:
    params = Params.load("paper")
    provenance = load_provenance()
    settings = Settings(label=provenance.label, tau_delta=params.tau_delta, severity_weights=params.severity_weights)
    finished = load_paper_run(Path(), params.students, params.seeds[0], settings)
    coverage = write_paper(finished, layout.REPORT)
    write_metrics(layout.metric("families"), families_metrics(finished.metrics), provenance)
    write_metrics(layout.metric("coverage"), coverage, provenance)
    write_metrics(layout.metric("cost"), _costs(), provenance)
    with replacing(layout.PLOTS / "figures") as folder:  # in git, so that README and a review can show them
        folder.mkdir()
        for figure in sorted(layout.REPORT.glob("*.png")):
            shutil.copy(figure, folder)


def _costs() -> dict[str, Any]:
    """What the answers of every stage cost without a cache, and in total.

    Stages that ask the same question are counted each: with a cache, the later one pays nothing for it.
    """
    files = sorted(layout.COSTS.glob("*.json"))
    costs = {file.stem.replace("-", "@", 1): read_json(file, dict) for file in files}
    names = sorted({name for cost in costs.values() for name in cost})
    return {"stages": costs, "total": {name: round(sum(cost[name] for cost in costs.values()), 6) for name in names}}
