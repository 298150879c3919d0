"""Harm drift before and after repair, beside a control that trained as long without repair rows.

A drift case is a pair (base, candidate) that was screened and confirmed (Eq. 1, Section 2.4). The paper reports the
net change only (435 -> 119, Figure 4); here gross, new and net are told apart, each with an interval over items,
and, where the truth is known (in the simulation), counted a second time without the judge's errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dart.core.errors import DataError
from dart.core.records import SEVERITIES, AuditRecord, Item, Severity
from dart.core.schema.method import Statistics
from dart.core.seeds import seed_for
from dart.stats.bootstrap import resample_counts
from dart.stats.decision import Counts, Floats
from dart.stats.intervals import Interval, percentile_interval
from dart.stats.pairing import in_item_order

Cases = Mapping[str, Severity]  # item id -> severity, drift cases only
_STATES = (None, *SEVERITIES)
_STATE = {severity: index for index, severity in enumerate(_STATES)}


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
    items: Sequence[Item], drift: Drift, truth: Truth | None, statistics: Statistics, seed: int, what: str = "drift"
) -> dict[str, Any]:
    """metrics/repair.json of one student: {audited, true: {repair, control, difference}}."""
    check(items, drift, truth, what)
    after_control = None if drift.control is None else cases(drift.control)
    audited = Truth(cases(drift.before), cases(drift.after), after_control)
    result = {"audited": _account(items, audited, statistics, seed_for(seed, "drift", what, "audited"))}
    if truth is not None:
        result["true"] = _account(items, truth, statistics, seed_for(seed, "drift", what, "true"))
    return result


def _account(items: Sequence[Item], flows: Truth, statistics: Statistics, seed: int) -> dict[str, Any]:
    """Gross, new and net for repair and control from one set of resamples, so that their difference is paired."""
    control = flows.control
    table = np.zeros((len(_STATES),) * 3, dtype=np.int64)  # before x after repair x after control
    for item in items:
        states = (flows.before.get(item.id), flows.after.get(item.id), (control or {}).get(item.id))
        table[tuple(_STATE[state] for state in states)] += 1
    drawn = resample_counts(table, statistics.resamples, seed)
    observed, resampled = _flows(table.sum(axis=2)), _flows(drawn.sum(axis=3))
    result = {"repair": _arm(observed, resampled, statistics)}
    if control is not None:
        observed_control, resampled_control = _flows(table.sum(axis=1)), _flows(drawn.sum(axis=2))
        result["control"] = _arm(observed_control, resampled_control, statistics)
        result["difference"] = {
            name: _interval(observed, resampled, observed_control, resampled_control, name, statistics).json()
            for name in ("gross", "new", "net", "reduction")
        }
    return result


def _flows(transitions: Counts) -> dict[str, dict[str, Floats]]:
    """Per severity and in total: before, after, gross (left), new (appeared), net = before - after.

    `transitions` has shape (..., 5, 5): state before by state after, state 0 = no drift case. In total net is
    gross - new; within one severity it also counts the cases whose severity changed.
    """
    result: dict[str, dict[str, Floats]] = {}
    for name, index in [*((severity, _STATE[severity]) for severity in SEVERITIES), ("total", None)]:
        states: Any = slice(1, None) if index is None else slice(index, index + 1)
        before = transitions[..., states, :].sum(axis=(-2, -1)).astype(np.float64)
        after = transitions[..., :, states].sum(axis=(-2, -1)).astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(before > 0, (before - after) / before, np.nan)
        result[name] = {
            "before": before,
            "after": after,
            "gross": transitions[..., states, 0].sum(axis=-1).astype(np.float64),
            "new": transitions[..., 0, states].sum(axis=-1).astype(np.float64),
            "net": before - after,
            "reduction": share,
        }
    return result


def _arm(observed: dict[str, Any], resampled: dict[str, Any], statistics: Statistics) -> dict[str, Any]:
    """Counts and the reduction, each with its interval beside it under "<name>_ci"."""
    by_name: dict[str, Any] = {}
    for severity, flows in observed.items():
        entry: dict[str, Any] = {}
        for name in flows:
            interval = percentile_interval(float(flows[name]), resampled[severity][name], statistics.confidence)
            value = interval.json()
            entry[name] = value["estimate"] if name == "reduction" else int(flows[name])
            entry[f"{name}_ci"] = value["ci"]
        by_name[severity] = entry
    return {**by_name.pop("total"), "by_severity": by_name}


def _interval(
    repair: dict[str, Any],
    repair_drawn: dict[str, Any],
    control: dict[str, Any],
    control_drawn: dict[str, Any],
    name: str,
    statistics: Statistics,
) -> Interval:
    """Repair minus control in the total of `name`."""
    estimate = float(repair["total"][name] - control["total"][name])
    return percentile_interval(
        estimate, repair_drawn["total"][name] - control_drawn["total"][name], statistics.confidence
    )
