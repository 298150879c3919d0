"""What an arm repairs: its own audit of the answers before Stage III, and the safe targets that follow (K.5, M)."""

from __future__ import annotations

from collections.abc import Sequence

from dart.ablations.perturbations import HALVES, half_of, sham_pool
from dart.ablations.rationales import Parties
from dart.core.records import AuditRecord, Generation, Item, RepairTarget
from dart.core.schema.ablations import Change
from dart.core.schema.method import Audit, Distill, Repair
from dart.harm.audit import audit
from dart.harm.classifier import Classifier
from dart.repair.targets import safe_targets


def audit_pool(
    change: Change,
    items: Sequence[Item],
    base: Sequence[Generation],
    answers: Sequence[Generation],
    tau_delta: float,
    protocol: Audit,
    seed: int,
    parties: Parties,
) -> list[AuditRecord]:
    """`answers` against `base`, audited by the arm's own threshold, judge and labels.

    Args:
        tau_delta: the arms' threshold, unless the arm has one of its own.

    Raises:
        IncompleteError: an answer is missing.
    """
    threshold = tau_delta if change.tau_delta is None else change.tau_delta
    labels = parties.labels(change.audit_labels, items, may_miss=protocol.may_miss)
    judge = parties.client(change.judge)
    return parties.complete(audit(items, base, answers, threshold, judge, protocol, seed, labels))


def pool_targets(
    change: Change,
    items: Sequence[Item],
    pool: Sequence[AuditRecord],
    answers: Sequence[Generation],
    classifier: Classifier,
    repair: Repair,
    rules: Distill,
    seed: int,
    parties: Parties,
) -> list[RepairTarget]:
    """Safe targets of the drift cases that the arm repairs: all of them, those of one half, or a sham.

    Raises:
        IncompleteError: an answer is missing.
    """
    records = sham_pool(pool, seed) if change.repair == "sham" else list(pool)
    if change.repair in HALVES:
        half = half_of(items, HALVES[change.repair], seed)
        records = [record for record in records if record.item_id in half]
    labels = parties.labels(change.repair_labels, items, change.teacher, may_miss=repair.may_miss)
    teacher = (parties.unlabelled if change.repair_labels == "none" else parties.client)(change.teacher)
    return parties.complete(safe_targets(items, records, answers, teacher, classifier, repair, rules, labels))
