"""The audit against base as two stages run it: of distilled before repair, of repaired and the control after it."""

from __future__ import annotations

from dart.chat.tasks import Cost
from dart.core import layout
from dart.core.files import read_jsonl, replacing, write_jsonl
from dart.core.params import JudgeEndpoint, TrainingSeeds
from dart.core.records import Generation, Item
from dart.core.schema.method import Audit
from dart.harm.audit import audit
from dart.harm.judge import JudgeClient
from dart.harm.panel import JudgePanel
from stages.clients import AskingParams
from stages.clients import judge_client as client_of


class AuditParams(AskingParams):
    seeds: TrainingSeeds
    tau_delta: float
    audit: Audit
    judge: JudgeEndpoint


def judge_client(stage: str, params: AuditParams) -> JudgeClient:
    return client_of(stage, params.judge, params)


def audit_variant(stage: str, params: AuditParams, student: str, variant: str, when: str) -> list[Cost]:
    """Audit `variant` of `student` against its base on the test set, for every training seed, and say the costs.

    Writes the records as `when`, and beside them what each member of a panel would have said. The judge's draws do not
    depend on the training seed.

    Raises:
        IncompleteError: a judgement is missing.
    """
    items, client = read_jsonl(layout.split("test"), Item), judge_client(stage, params)
    costs = []
    with replacing(layout.audits(student, when)) as folder:
        for seed in params.seeds:
            base, other = (
                read_jsonl(layout.generations(student, name, seed), Generation) for name in ("base", variant)
            )
            records, outcome = audit(items, base, other, params.tau_delta, client, params.audit, params.seed)
            outcome.require_complete(stage)
            write_jsonl(folder / layout.audit(student, when, seed).name, records)
            if isinstance(client, JudgePanel):
                write_jsonl(
                    folder / layout.PANEL / layout.audit(student, when, seed).name,
                    client.member_verdicts(items, params.audit),
                )
            costs.append(outcome.usage.cost)
    return costs
