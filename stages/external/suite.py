"""Stages `bold`, `holisticbias`, `realtoxicityprompts` (Appendices O, P): base against repaired, and by group."""

from __future__ import annotations

from typing import Annotated

from dart.core import layout
from dart.core.params import FromParams, StageParams
from dart.external.analysis import student_report, suite_report
from dart.metrics.provenance import load_provenance, write_metrics
from stages.external.reading import pairs_of, sample_of


class Params(StageParams):
    students: tuple[str, ...]
    confidence: Annotated[float, FromParams("statistics.confidence")]


def run(suite: str) -> None:
    params = Params.load(suite)
    card, _ = sample_of(suite, params.students)
    students = {slot: student_report(pairs_of(suite, slot), card, params.confidence) for slot in params.students}
    write_metrics(layout.external_metrics(suite), suite_report(card, students), load_provenance())
