"""Stages `bold`, `holisticbias`, `realtoxicityprompts` (Appendices O, P): base against repaired, and by group."""

from __future__ import annotations

from dart.core import layout, params
from dart.core.files import write_json
from dart.external.analysis import student_report, suite_report
from stages.external.reading import pairs_of, sample_of


def run(suite: str) -> None:
    given = params.load(f"external/dvc.yaml:{suite}")
    (card, _), confidence = sample_of(suite, given.students), given.statistics.confidence
    students = {slot: student_report(pairs_of(suite, slot), card, confidence) for slot in given.students}
    write_json(layout.external_metrics(suite), suite_report(card, students))
