"""The audit as three stages run it: before repair, after repair, and after the control."""

from __future__ import annotations

from dart.chat import ChatClient
from dart.embedded.transport import transport_for
from dart.harm.audit import audit
from dart.params import StageParams
from dart.records import AuditRecord, Generation, Item, read_jsonl
from stages import paths


def audit_against_base(given: StageParams, student: str, variant: str) -> list[AuditRecord]:
    """Audit `variant` of `student` against its base on the test set; incomplete judgements are an error."""
    judge = given.world("judge")
    client = ChatClient(judge, stage=given.stage, transport=transport_for(judge, given.world("world"), given.seed))
    records, outcome = audit(
        read_jsonl(paths.SUITE / "test.jsonl", Item),
        read_jsonl(paths.generations(student, "base"), Generation),
        read_jsonl(paths.generations(student, variant), Generation),
        given.tau_delta,
        client,
    )
    outcome.require_complete(given.stage)
    return records
