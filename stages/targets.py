"""Stage `targets@S` (Stage III, Section 2.5): the teacher rewrites every drift case safely; unsafe ones are refused."""

from __future__ import annotations

from dart.core import layout
from dart.core.files import read_jsonl, replacing, write_jsonl
from dart.core.params import ScorerSpecs, TeacherEndpoint, TrainingSeeds
from dart.core.records import AuditRecord, Generation, Item
from dart.core.schema.method import Distill, Repair
from dart.harm.classifier import Classifier
from dart.repair.targets import safe_targets
from stages.clients import AskingParams, chat_client, write_cost


class Params(AskingParams):
    seeds: TrainingSeeds
    distill: Distill
    repair: Repair
    teacher: TeacherEndpoint
    scorers: ScorerSpecs


def run(student: str) -> None:
    stage = f"targets@{student}"
    params = Params.load("targets", student=student)
    items = read_jsonl(layout.split("test"), Item)
    teacher = chat_client(stage, "teacher", params.teacher, params)
    classifier = Classifier.load(layout.SCORERS / "toxicity", params.scorers.toxicity)
    costs = []
    with replacing(layout.seed_targets(student)) as folder:
        for seed in params.seeds:
            targets, outcome = safe_targets(
                items,
                read_jsonl(layout.audit(student, "before", seed), AuditRecord),
                read_jsonl(layout.generations(student, "distilled", seed), Generation),
                teacher,
                classifier,
                params.repair,
                params.distill,
            )
            outcome.require_complete(stage)
            costs.append(outcome.usage.cost)
            write_jsonl(folder / layout.targets(student, seed).name, targets)
    write_cost(stage, *costs)
