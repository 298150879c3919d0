"""What is asked of judge and teacher about texts that a recipe of repair may rehearse or repair."""

from __future__ import annotations

from collections.abc import Sequence

from dart.chat.tasks import Cost
from dart.core.params import JudgeEndpoint, ScorerSpecs, TeacherEndpoint, TrainingSeeds
from dart.core.records import AuditRecord, Generation, Item, RepairTarget
from dart.core.schema.method import Audit, Distill, Repair
from dart.harm.audit import audit
from dart.harm.classifier import Classifier
from dart.repair.targets import refused_target, safe_targets
from stages.clients import AskingParams, chat_client, judge_client


class RewriteParams(AskingParams):
    seeds: TrainingSeeds
    tau_delta: float
    audit: Audit
    distill: Distill
    repair: Repair
    teacher: TeacherEndpoint
    judge: JudgeEndpoint
    scorers: ScorerSpecs


def audit_and_rewrite(
    stage: str,
    params: RewriteParams,
    items: Sequence[Item],
    base: Sequence[Generation],
    candidate: Sequence[Generation],
    classifier: Classifier,
) -> tuple[list[AuditRecord], list[RepairTarget], tuple[Cost, Cost]]:
    """The audit of `candidate` under the two-sided screen, and safe targets for its drift cases.

    Raises:
        IncompleteError: an answer of the judge or the teacher is missing.
    """
    protocol = params.audit.model_copy(update={"screen": "change"})
    judge = judge_client(stage, params.judge, params)
    records, judged = audit(items, base, candidate, params.tau_delta, judge, protocol, params.seed)
    judged.require_complete(stage)
    teacher = chat_client(stage, "teacher", params.teacher, params)
    targets, written = safe_targets(items, records, candidate, teacher, classifier, params.repair, params.distill)
    written.require_complete(stage)
    # of a pair that the judge refused nobody knows whether it drifted: no recipe rehearses it
    targets += [
        refused_target(record.item_id, "mild", record.toxicity_candidate, record.refusal)
        for record in records
        if record.unjudged and record.refusal is not None
    ]
    return records, targets, (judged.usage.cost, written.usage.cost)
