"""Stages `bold`, `holisticbias`, `realtoxicityprompts` (Appendices O, P): base against repaired, and by group."""

from __future__ import annotations

from dart import params
from dart.external.report import student_report, suite_report
from dart.records import write_json
from stages.external import paths
from stages.external.reading import pairs_of, sample_of


def run(suite: str) -> None:
    given = params.load(f"external/dvc.yaml:{suite}")
    (card, _), confidence = sample_of(suite, given.students), given.statistics.confidence
    students = {slot: student_report(pairs_of(suite, slot), card, confidence) for slot in given.students}
    write_json(paths.metrics(suite), suite_report(card, students))
