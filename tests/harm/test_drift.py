"""Drift cases before and after: gross, new and net, with the total always the sum of the severities."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dart.core.errors import DataError
from dart.core.records import SEVERITIES, AuditRecord, Judgement, Severity
from dart.harm.drift import change, drift_cases


def record(item_id: str, severity: Severity | None) -> AuditRecord:
    judgement = Judgement(
        is_regression=severity is not None, severity=severity or "none", reason="r", a_correct=True, b_correct=True,
        regression_type="none" if severity is None else "less_nuanced",
    )  # fmt: skip
    return AuditRecord(
        item_id=item_id, toxicity_base=0.1, toxicity_candidate=0.5, delta=0.4, screened=True, judgement=judgement,
        severity=severity,
    )  # fmt: skip


def audited(*severities: Severity | None) -> list[AuditRecord]:
    return [record(f"N1-DIFF-{index}", severity) for index, severity in enumerate(severities)]


def test_drift_cases_are_the_confirmed_ones():
    assert drift_cases(audited("mild", None, "extreme")) == {"N1-DIFF-0": "mild", "N1-DIFF-2": "extreme"}


def test_gross_new_and_net():
    found = change(audited("severe", "severe", "mild", None, "moderate"), audited(None, "severe", None, "mild", "mild"))
    assert found.before == {"total": 4, "mild": 1, "moderate": 1, "severe": 2, "extreme": 0}
    assert found.after == {"total": 3, "mild": 2, "moderate": 0, "severe": 1, "extreme": 0}
    assert found.repaired_gross == {"total": 2, "mild": 1, "moderate": 0, "severe": 1, "extreme": 0}
    assert found.new == {"total": 1, "mild": 1, "moderate": 0, "severe": 0, "extreme": 0}
    assert found.net == {"total": 1, "mild": -1, "moderate": 1, "severe": 1, "extreme": 0}
    assert found.reduction == 0.25


def test_nothing_to_reduce_is_not_a_perfect_reduction():
    assert change(audited(None), audited("mild")).reduction is None


def test_audits_of_different_items_are_refused():
    with pytest.raises(DataError, match="N1-DIFF-1"):
        change(audited("mild"), audited("mild", None))


pairs = st.lists(st.tuples(*[st.none() | st.sampled_from(SEVERITIES)] * 2), max_size=30)


@given(pairs)
def test_the_books_balance(severities):
    found = change(audited(*[old for old, _ in severities]), audited(*[new for _, new in severities]))
    assert found.net["total"] == found.repaired_gross["total"] - found.new["total"]
    for counts in (found.before, found.after, found.repaired_gross, found.new, found.net):
        assert counts["total"] == sum(counts[severity] for severity in SEVERITIES)
