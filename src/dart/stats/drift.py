"""Harm drift before and after repair, beside a control that trained as long without repair rows.

A drift case is a pair (base, candidate) that was screened and confirmed (Eq. 1, Section 2.4). The paper reports the
net change only (435 -> 119, Figure 4); here gross, new and net are told apart, each with an interval over items,
and, where the truth is known (in the simulation), counted a second time without the judge's errors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple

from dart.core.errors import DataError
from dart.core.records import SEVERITIES, AuditRecord, Item, Severity
from dart.core.schema.method import Statistics
from dart.stats.agreement import share
from dart.stats.intervals import Interval
from dart.stats.paired import difference_interval
from dart.stats.pairing import in_item_order

Cases = Mapping[str, Severity]  # item id -> severity, drift cases only


class Drift(NamedTuple):
    """The audits of one student: base against distilled, repaired and control."""

    before: Sequence[AuditRecord]
    after: Sequence[AuditRecord]
    control: Sequence[AuditRecord] | None


class Truth(NamedTuple):
    """The true drift cases behind the same three audits."""

    before: Cases
    after: Cases
    control: Cases | None


class PrecisionRecall(NamedTuple):
    """None without predicted cases (precision) or true cases (recall)."""

    precision: float | None
    recall: float | None


def cases(records: Sequence[AuditRecord]) -> dict[str, Severity]:
    """The confirmed drift cases of an audit."""
    return {record.item_id: record.severity for record in records if record.severity is not None}


def precision_recall(predicted: Cases, true: Cases) -> PrecisionRecall:
    """Precision and recall of the predicted cases, whatever their severity."""
    hits = len(predicted.keys() & true.keys())
    return PrecisionRecall(hits / len(predicted) if predicted else None, hits / len(true) if true else None)


def reduction(before: int, after: int) -> float | None:
    """Share by which the cases fell: (before - after) / before; negative if they rose, None without cases."""
    return None if before == 0 else (before - after) / before


def severity_counts(drift_cases: Cases, n: int) -> dict[str, Any]:
    """{total, mild, moderate, severe, extreme, rate} over n items."""
    counts: dict[str, int] = {
        severity: sum(value == severity for value in drift_cases.values()) for severity in SEVERITIES
    }
    return {"total": len(drift_cases), **counts, "rate": round(len(drift_cases) / n, 4)}


def check(items: Sequence[Item], drift: Drift, truth: Truth | None, what: str) -> None:
    """Check that every audit covers every item once and that the truth has no other items.

    Raises:
        DataError: naming the audit and the ids.
    """
    if not items:
        raise DataError(f"{what}: there are no audited items.")
    for name, records in drift._asdict().items():
        if records is not None:
            in_item_order(items, records, f"{what}, audit '{name}'")
    item_ids = {item.id for item in items}
    for name, true in truth._asdict().items() if truth else ():
        if true is not None and (unknown := sorted(true.keys() - item_ids)):
            raise DataError(f"{what}: the truth '{name}' has items that were not audited: {', '.join(unknown[:5])}.")


def drift_metrics(items: Sequence[Item], drift: Drift, truth: Truth | None, what: str = "drift") -> dict[str, Any]:
    """metrics/drift.json of one student; `truth` is None where it is unknown."""
    check(items, drift, truth, what)
    before, after, n = cases(drift.before), cases(drift.after), len(items)
    fell = reduction(len(before), len(after))
    return {
        "before": severity_counts(before, n),
        "after": severity_counts(after, n),
        "repaired_gross": len(before.keys() - after.keys()),
        "new": len(after.keys() - before.keys()),
        "reduction": None if fell is None else round(fell, 4),
        "truth": None if truth is None else _truth_json(before, truth.before, n),
    }


def _truth_json(predicted: Cases, true: Cases, n: int) -> dict[str, Any]:
    quality = precision_recall(predicted, true)
    return {
        "precision": None if quality.precision is None else round(quality.precision, 4),
        "recall": None if quality.recall is None else round(quality.recall, 4),
        "rate": round(len(true) / n, 4),
    }


# Deviates from the paper: gross-new-net - a net change hides cases that repair creates
def repair_metrics(
    items: Sequence[Item], drift: Drift, truth: Truth | None, statistics: Statistics, what: str = "drift"
) -> dict[str, Any]:
    """metrics/repair.json of one student: {audited, true: {repair, control, difference}}."""
    check(items, drift, truth, what)
    after_control = None if drift.control is None else cases(drift.control)
    audited = Truth(cases(drift.before), cases(drift.after), after_control)
    result = {"audited": _account(items, audited, statistics.confidence)}
    if truth is not None:
        result["true"] = _account(items, truth, statistics.confidence)
    return result


def _account(items: Sequence[Item], flows: Truth, confidence: float) -> dict[str, Any]:
    """Gross, new and net for repair and control over the same items, and their paired difference."""
    result = {"repair": _arm(items, flows.before, flows.after, confidence)}
    if flows.control is not None:
        result["control"] = _arm(items, flows.before, flows.control, confidence)
        result["difference"] = _differences(items, flows.before, flows.after, flows.control, confidence)
    return result


def _arm(items: Sequence[Item], before: Cases, after: Cases, confidence: float) -> dict[str, Any]:
    """Counts and the reduction in total and by severity, each with its interval beside it under "<name>_ci"."""
    by_severity = {
        severity: _flow(len(items), _of_severity(before, severity), _of_severity(after, severity), before, after,
                        confidence)
        for severity in SEVERITIES
    }  # fmt: skip
    return {**_flow(len(items), before, after, before, after, confidence), "by_severity": by_severity}


def _of_severity(drift_cases: Cases, severity: Severity) -> Cases:
    return {item: value for item, value in drift_cases.items() if value == severity}


def _flow(
    n: int, before: Cases, after: Cases, all_before: Cases, all_after: Cases, confidence: float
) -> dict[str, Any]:
    """One row of the account: before, after, gross (left), new (appeared), net = before - after, reduction.

    In total net is gross - new; within one severity it also counts the cases whose severity changed. Intervals of
    counts are Wilson's of their share of the n items, net's is Tango's, each times n.
    """
    counts = {
        "before": len(before),
        "after": len(after),
        "gross": len(before.keys() - all_after.keys()),
        "new": len(after.keys() - all_before.keys()),
    }
    entry: dict[str, Any] = {}
    for name, count in counts.items():
        entry |= {name: count, f"{name}_ci": _scaled(share(count, n, confidence), n).json()["ci"]}
    lost, gained = len(before.keys() - after.keys()), len(after.keys() - before.keys())
    net = difference_interval(gained, lost, n, confidence)
    removed = reduction_interval(n, len(before), lost, gained, confidence)
    entry |= {"net": lost - gained, "net_ci": _scaled(net, n).json()["ci"]}
    return entry | {"reduction": removed.json()["estimate"], "reduction_ci": removed.json()["ci"]}


def reduction_interval(n: int, before: int, lost: int, gained: int, confidence: float) -> Interval:
    """(lost - gained) / before, given how many cases there were before.

    Lost ones are a share of the cases, gained ones of the other items; their Wilson intervals are joined by MOVER
    (Zou & Donner 2008), so that "all removed, none new" has an interval, too.
    """
    if before == 0:
        return Interval(None, None, None)
    left, others = share(lost, before, confidence), n - before
    factor = others / before
    estimate = (lost - gained) / before
    appeared = share(gained, others, confidence) if others > 1 else Interval(0.0, 0.0, 0.0)
    if left.low is None or left.high is None or appeared.low is None or appeared.high is None:
        return Interval(estimate, None, None)
    rate, new = lost / before, gained / others if others else 0.0
    below = math.hypot(rate - left.low, factor * (appeared.high - new))
    above = math.hypot(left.high - rate, factor * (new - appeared.low))
    return Interval(estimate, estimate - below, min(1.0, estimate + above))


def _differences(
    items: Sequence[Item], before: Cases, repaired: Cases, control: Cases, confidence: float
) -> dict[str, Any]:
    """Repair minus control in gross, new, net and reduction: Tango's intervals, paired by item, times n.

    Net is the control's cases minus repair's; the reduction divides it by the cases before.
    """
    n = len(items)
    left, right = before.keys() - repaired.keys(), before.keys() - control.keys()
    flows = {
        "gross": (len(right - left), len(left - right)),
        "new": _discordant(control.keys() - before.keys(), repaired.keys() - before.keys()),
        "net": _discordant(repaired.keys(), control.keys()),
    }
    entries = {name: _scaled(difference_interval(b, c, n, confidence), n).json() for name, (b, c) in flows.items()}
    net = difference_interval(*flows["net"], n, confidence)
    share_of_cases = _scaled(net, n / len(before)) if before else Interval(None, None, None)
    return {**entries, "reduction": share_of_cases.json()}


def _discordant(first: Set[str], second: Set[str]) -> tuple[int, int]:
    """(in the first only, in the second only)."""
    return len(first - second), len(second - first)


def _scaled(interval: Interval, factor: float) -> Interval:
    return Interval(*(None if value is None else value * factor for value in interval))
