"""The audit as three stages run it: before repair, after repair, and after the control."""

from __future__ import annotations

from dart.core import layout
from dart.core.files import read_jsonl, write_jsonl
from dart.core.params import StageParams
from dart.core.records import AuditRecord, Generation, Item
from dart.harm.audit import audit
from stages.clients import client_for, keep_cost


def audit_against_base(given: StageParams, student: str, variant: str, when: str) -> None:
    """Audit `variant` of `student` against its base on the test set; incomplete judgements are an error."""
    records: list[AuditRecord]
    records, outcome = audit(
        read_jsonl(layout.SUITE / "test.jsonl", Item),
        read_jsonl(layout.generations(student, "base"), Generation),
        read_jsonl(layout.generations(student, variant), Generation),
        given.tau_delta,
        client_for(given, "judge"),
        given.audit,
        given.seed,
    )
    outcome.require_complete(given.stage)
    write_jsonl(layout.audit(student, when), records)
    keep_cost(given.stage, outcome.usage.cost)
