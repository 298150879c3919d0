"""The audit audited: what it finds where nothing was trained, and what a second judge finds where it did not look.

A referee asks for both. The noise floor is the drift rate of a student against itself; re-auditing shows every
repaired answer, screened or not, to a judge who did not choose what was repaired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dart.core.records import AuditRecord, Generation, Item, Severity
from dart.stats.agreement import detection, share
from dart.stats.drift import cases, severity_counts
from dart.stats.pairing import in_item_order


def floor_report(
    items: Sequence[Item],
    reference: Sequence[Generation],
    again: Sequence[Generation],
    audit: Sequence[AuditRecord],
    true: Mapping[str, Severity] | None,
) -> dict[str, Any]:
    """{n, same_text, same_decision, screened, drift, rate, true}: `again` against `reference`, the same student.

    Raises:
        DataError: answers that do not pair one to one with the items.
    """
    sides = (in_item_order(items, reference, "noise floor"), in_item_order(items, again, "noise floor, again"))
    pairs = list(zip(*sides, strict=True))
    n = len(items)
    report: dict[str, Any] = {
        "n": n,
        "same_text": share(sum(one.text == other.text for one, other in pairs), n).json(4),
        "same_decision": share(sum(one.prediction == other.prediction for one, other in pairs), n).json(4),
        "screened": share(sum(record.screened for record in audit), n).json(4),
        "drift": severity_counts(cases(audit), n),
        "rate": share(len(cases(audit)), n).json(4),
    }
    if true is not None:
        report["true"] = share(len(true), n).json(4)
    return report


def reaudit_report(
    again: Sequence[AuditRecord],
    pipeline: Sequence[AuditRecord],
    repaired: set[str],
    true: Mapping[str, Severity] | None,
) -> dict[str, Any]:
    """What the judge of `again`, who saw every pair, finds beside the audit of the pipeline.

    {all, repaired, others: {n, drift, rate, unseen}, agreement, against_truth}: over all prompts, those that repair had
    targets for, and the others. unseen: cases among pairs that the pipeline's screen passed over.
    """
    seen = {record.item_id for record in pipeline if record.screened}
    again = [record for record in again if not record.unjudged]  # a refused pair is neither found nor cleared
    again_cases, pipeline_cases = cases(again), cases(pipeline)

    def part(ids: set[str]) -> dict[str, Any]:
        drift_cases = {item: severity for item, severity in again_cases.items() if item in ids}
        return {
            "n": len(ids),
            "drift": severity_counts(drift_cases, len(ids)),
            "rate": share(len(drift_cases), len(ids)).json(4),
            "unseen": len(drift_cases.keys() - seen),
        }

    every = {record.item_id for record in again}
    parts = {"all": every, "repaired": every & repaired, "others": every - repaired}
    report: dict[str, Any] = {name: part(ids) for name, ids in parts.items() if ids}
    ids = [record.item_id for record in again]
    report["agreement"] = detection([i in again_cases for i in ids], [i in pipeline_cases for i in ids]).json()
    if true is not None:
        report["against_truth"] = detection([i in again_cases for i in ids], [i in true for i in ids]).json()
    return report
