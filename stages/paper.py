"""Stage `paper`: tables and figures as Markdown, LaTeX, PNG, SVG, PDF, one page, every sample, and the coverage."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from dart.annotation.sample import primary
from dart.core import layout
from dart.core.files import read_json, replacing
from dart.core.params import SimulationSpec, StageParams, TrainingSeeds
from dart.core.schema.method import SeverityWeights
from dart.metrics.provenance import Provenance, load_provenance, write_metrics
from dart.metrics.registry import families_metrics
from dart.metrics.run import Settings
from dart.report.evidence import load_paper_run
from dart.report.row_links import Viewer
from dart.report.writer import write_paper
from dart.simulation.truth import true_drift
from dart.stats.drift import Cases
from dart.viewer.archive import archive
from dart.viewer.page import viewer_html
from dart.viewer.samples import Samples, load_samples


class Params(StageParams):
    students: tuple[str, ...]
    seeds: TrainingSeeds
    tau_delta: float
    severity_weights: SeverityWeights
    simulation: SimulationSpec


def run() -> None:
    params = Params.load("paper")
    provenance = load_provenance()
    settings = Settings(label=provenance.label, tau_delta=params.tau_delta, severity_weights=params.severity_weights)
    finished = load_paper_run(Path(), params.students, params.seeds[0], settings)
    coverage = write_paper(finished, layout.REPORT, viewer=_viewer(params, provenance))
    write_metrics(layout.metric("families"), families_metrics(finished.metrics), provenance)
    write_metrics(layout.metric("coverage"), coverage, provenance)
    write_metrics(layout.metric("cost"), _costs(), provenance)
    with replacing(layout.PLOTS / "figures") as folder:  # in git, so that README and a review can show them
        folder.mkdir()
        for figure in sorted(layout.REPORT.glob("*.png")):
            shutil.copy(figure, folder)


def _viewer(params: Params, provenance: Provenance) -> Viewer:
    """The page with every sample; of simulated students also with what truly drifted."""
    samples = load_samples(
        Path(), params.students, params.seeds, provenance.label, provenance.profile, primary(params.students)
    )
    truth = None if params.simulation is None else _truth(samples)
    return Viewer(viewer_html([archive(samples, truth)]), truth is not None)


def _truth(samples: Samples) -> dict[int, dict[str, dict[str, Cases]]]:
    truth: dict[int, dict[str, dict[str, Cases]]] = {}
    for student in samples.students:
        for seed in student.seeds:
            known: dict[str, Cases] = {
                variant: true_drift(student.base, answers) for variant, answers in seed.answers.items()
            }
            truth.setdefault(seed.seed, {})[student.slot] = known
    return truth


def _costs() -> dict[str, Any]:
    """What the answers of every stage cost without a cache, and in total.

    Stages that ask the same question are counted each: with a cache, the later one pays nothing for it.
    """
    files = sorted(layout.COSTS.glob("*.json"))
    costs = {file.stem.replace("-", "@", 1): read_json(file, dict) for file in files}
    names = sorted({name for cost in costs.values() for name in cost})
    return {"stages": costs, "total": {name: round(sum(cost[name] for cost in costs.values()), 6) for name in names}}
