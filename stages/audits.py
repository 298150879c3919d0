"""The audit against base as two stages run it: of distilled before repair, of repaired and the control after it."""

from __future__ import annotations

from dart.chat.client import ChatClient
from dart.chat.tasks import Cost
from dart.core import layout
from dart.core.files import read_jsonl, write_jsonl
from dart.core.params import JudgeEndpoint
from dart.core.records import Generation, Item
from dart.core.schema.method import Audit
from dart.harm.audit import audit
from stages.clients import AskingParams, chat_client


class AuditParams(AskingParams):
    tau_delta: float
    audit: Audit
    judge: JudgeEndpoint


def judge_client(stage: str, params: AuditParams) -> ChatClient:
    return chat_client(stage, "judge", params.judge, params)


def audit_variant(stage: str, params: AuditParams, student: str, variant: str, name: str) -> Cost:
    """Audit `variant` of `student` against its base on the test set, write the records as `name`, and say the cost.

    Raises:
        IncompleteError: a judgement is missing.
    """
    records, outcome = audit(
        read_jsonl(layout.split("test"), Item),
        read_jsonl(layout.generations(student, "base"), Generation),
        read_jsonl(layout.generations(student, variant), Generation),
        params.tau_delta,
        judge_client(stage, params),
        params.audit,
        params.seed,
    )
    outcome.require_complete(stage)
    write_jsonl(layout.audit(student, name), records)
    return outcome.usage.cost
