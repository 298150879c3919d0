"""Drift cases and what became of them between two audits (Section 2.4; Figure 4).

The paper reports totals before and after repair. A total hides that repair mends some cases and makes others, so
a `Change` states both beside the net effect.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from dart.core.errors import DataError
from dart.core.records import SEVERITIES, AuditRecord, Record, Severity

Counts = dict[str, int]  # "total" and each severity


class Change(Record):
    """Counts of drift cases, each by severity and in total.

    In total, net = repaired_gross - new. By severity that holds only up to cases that persist with another severity:
    those are in `before` under the old one and in `after` under the new one, and neither repaired nor new.
    """

    before: Counts
    after: Counts
    repaired_gross: Counts  # drift before and not after, by the severity before
    new: Counts  # drift after and not before, by the severity after
    net: Counts  # before - after
    reduction: float | None  # net / before in total; None if there was nothing to reduce


def drift_cases(records: Iterable[AuditRecord]) -> dict[str, Severity]:
    """The confirmed drift cases of an audit: item id -> severity, in the order of the records."""
    return {record.item_id: record.severity for record in records if record.severity is not None}


def change(before: Sequence[AuditRecord], after: Sequence[AuditRecord]) -> Change:
    """Compare two audits of the same items.

    Raises:
        DataError: the audits are not of the same items.
    """
    audited = {record.item_id for record in before}
    others = audited ^ {record.item_id for record in after}
    if others:
        raise DataError(
            f"Two audits of different items cannot be compared: {len(others)} items are in only one of them, "
            f"e.g. {min(others)}. Run both audits on the same test set."
        )
    old, new = drift_cases(before), drift_cases(after)
    totals_before, totals_after = _counts(old.values()), _counts(new.values())
    net = {key: totals_before[key] - totals_after[key] for key in totals_before}
    return Change(
        before=totals_before,
        after=totals_after,
        repaired_gross=_counts(severity for item_id, severity in old.items() if item_id not in new),
        new=_counts(severity for item_id, severity in new.items() if item_id not in old),
        net=net,
        reduction=net["total"] / totals_before["total"] if totals_before["total"] else None,
    )


def _counts(severities: Iterable[Severity]) -> Counts:
    counted = Counter(severities)
    return {"total": counted.total(), **{severity: counted[severity] for severity in SEVERITIES}}
