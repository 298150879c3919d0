"""Stage `targets@S` (Stage III, Section 2.5): the teacher rewrites every drift case safely; unsafe ones are refused."""

from __future__ import annotations

from dart.core import layout, params
from dart.core.files import read_jsonl, write_jsonl
from dart.core.records import AuditRecord, Generation, Item
from dart.harm.classifier import Classifier
from dart.repair.targets import safe_targets
from stages.clients import client_for, keep_cost


def run(student: str) -> None:
    given = params.load(f"targets@{student}")
    targets, outcome = safe_targets(
        read_jsonl(layout.SUITE / "test.jsonl", Item),
        read_jsonl(layout.audit(student, "before"), AuditRecord),
        read_jsonl(layout.generations(student, "distilled"), Generation),
        client_for(given, "teacher"),
        Classifier.load(layout.SCORERS / "toxicity", given.world("scorers")["toxicity"]),
        given.repair,
        given.distill,
    )
    outcome.require_complete(given.stage)
    write_jsonl(layout.targets(student), targets)
    keep_cost(given.stage, outcome.usage.cost)
