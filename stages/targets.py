"""Stage `targets@S` (Stage III, Section 2.5): the teacher rewrites every drift case safely; unsafe ones are refused."""

from __future__ import annotations

from dart.core import layout
from dart.core.files import read_jsonl, write_jsonl
from dart.core.params import ScorerSpecs, TeacherEndpoint
from dart.core.records import AuditRecord, Generation, Item
from dart.core.schema.method import Distill, Repair
from dart.harm.classifier import Classifier
from dart.repair.targets import safe_targets
from stages.clients import AskingParams, chat_client, write_cost


class Params(AskingParams):
    distill: Distill
    repair: Repair
    teacher: TeacherEndpoint
    scorers: ScorerSpecs


def run(student: str) -> None:
    stage = f"targets@{student}"
    params = Params.load("targets", student=student)
    targets, outcome = safe_targets(
        read_jsonl(layout.split("test"), Item),
        read_jsonl(layout.audit(student, "before"), AuditRecord),
        read_jsonl(layout.generations(student, "distilled"), Generation),
        chat_client(stage, "teacher", params.teacher, params),
        Classifier.load(layout.SCORERS / "toxicity", params.scorers.toxicity),
        params.repair,
        params.distill,
    )
    outcome.require_complete(stage)
    write_jsonl(layout.targets(student), targets)
    write_cost(stage, outcome.usage.cost)
