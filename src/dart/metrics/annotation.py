"""The audit against annotated pairs: confusion, severities, and the screen's operating point.

Appendix L; what metrics/calibration.json does not hold, because calibration judges every pair anew, while this is the
audit as it ran.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dart.core.records import SEVERITIES, AuditRecord, Severity
from dart.stats.annotation import AnnotatedPair
from dart.stats.drift import cases

_LEVELS: tuple[Severity | None, ...] = (None, *SEVERITIES)


class Confusion(NamedTuple):
    """Counts of pairs against the annotators' consensus; positive: called drift."""

    true_positive: int
    false_negative: int
    false_positive: int
    true_negative: int

    @property
    def accuracy(self) -> float:
        return (self.true_positive + self.true_negative) / sum(self)


def audit_confusion(pairs: Sequence[AnnotatedPair], audit: Sequence[AuditRecord]) -> Confusion:
    """The audit as it ran, screen and judge, against the consensus."""
    detected = cases(audit)
    outcomes = [(pair.item_id in detected, pair.consensus is not None) for pair in pairs]
    return Confusion(*(outcomes.count(kind) for kind in ((True, True), (False, True), (True, False), (False, False))))


def severity_distances(pairs: Sequence[AnnotatedPair], audit: Sequence[AuditRecord], detected_only: bool) -> list[int]:
    """How many levels the audit is off the consensus, for each pair that the consensus calls drift.

    A pair that the audit missed counts as the level below mild; `detected_only` leaves such pairs out.
    """
    detected = cases(audit)
    return [
        abs(_LEVELS.index(detected.get(pair.item_id)) - _LEVELS.index(pair.consensus))
        for pair in pairs
        if pair.consensus is not None and (pair.item_id in detected or not detected_only)
    ]
