"""The drift rate with an honest denominator, each correction beside the raw count and, where known, the truth.

The paper divides confirmed cases by all pairs (435 / 1,624). That treats unscreened pairs as safe and the judge as
infallible. What the screen passes over is estimated from the random sample of unscreened pairs that was judged; the
judge's errors from annotated pairs, which exist for one student's first audit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dart.core.errors import DataError
from dart.core.records import AuditRecord, Item
from dart.core.schema.method import Statistics
from dart.metrics.run import StudentRun
from dart.stats.annotation import AnnotatedPair
from dart.stats.drift import Cases
from dart.stats.intervals import Interval
from dart.stats.prevalence import (
    LabelledStratum,
    Stratum,
    prediction_powered_rate,
    rogan_gladen,
    screened_rate,
    stratified_rate,
)

VARIANT_OF = {"before": "distilled", "after": "repaired", "control": "control"}


# Deviates from the paper: drift-denominator - the raw rate is the paper's, the others are beside it
def drift_rates(
    items: Sequence[Item],
    student: StudentRun,
    statistics: Statistics,
    true: Mapping[str, Cases] | None,
    annotated: Sequence[AnnotatedPair],
) -> dict[str, Any]:
    """{audit: {n, raw, inverse_probability, rogan_gladen, prediction_powered, true, true_screened}} of one student.

    Where the judge refused screened pairs: `refused`, their number, and `bounds`, the raw rate if none of them drifted
    and if all did. The other estimates leave them out, as if they were missing at random.

    raw: confirmed / n. inverse_probability: over all pairs, with the judged sample of unscreened ones.
    rogan_gladen: drift among screened pairs / n, corrected for the judge's errors. prediction_powered: over all
    pairs, from the annotators' labels and the audit. Each {estimate, ci}, or {"note"} where it cannot be had.
    `true` and `true_screened` are what they estimate, known in the embedded world only.

    Args:
        annotated: labelled pairs of audit "before"; empty for students of whom none were labelled.
    """
    rates = {}
    for when, variant in VARIANT_OF.items():  # of the student's audits; the teacher's is beside them
        if when in student.audits:
            true_cases = None if true is None else true[variant]
            labelled = annotated if when == "before" else ()
            rates[when] = _rates(items, student.audits[when], statistics.confidence, true_cases, labelled)
    return rates


def _rates(
    items: Sequence[Item],
    records: Sequence[AuditRecord],
    confidence: float,
    true: Cases | None,
    annotated: Sequence[AnnotatedPair],
) -> dict[str, Any]:
    n = len(records)
    screened = [record for record in records if record.screened]
    unjudged = sum(record.unjudged for record in screened)
    confirmed = sum(record.severity is not None for record in screened)
    result: dict[str, Any] = {
        "n": n,
        "screened": len(screened),
        "raw": stratified_rate([Stratum(n, n, confirmed)], confidence).json(),
        "inverse_probability": _or_note(lambda: _by_probability(records, confidence)),
        "rogan_gladen": _or_note(lambda: _judge_corrected(records, annotated, confidence)),
        "prediction_powered": _or_note(lambda: _powered(items, records, annotated, confidence)),
    }
    if unjudged:  # the raw rate takes them for safe; between these bounds it would lie had the judge answered
        result |= {"refused": unjudged, "bounds": [round(confirmed / n, 6), round((confirmed + unjudged) / n, 6)]}
    if true is not None:
        true_screened = sum(record.item_id in true for record in screened)
        result |= {"true": round(len(true) / n, 6), "true_screened": round(true_screened / n, 6)}
    return result


def _or_note(estimate: Callable[[], Interval]) -> dict[str, Any]:
    try:
        return estimate().json()
    except DataError as reason:
        return {"note": str(reason)}


def _by_probability(records: Sequence[AuditRecord], confidence: float) -> Interval:
    """All screened pairs are judged, but for refused ones; of the others a random sample."""
    screened = [record for record in records if record.screened]
    judged = sum(not record.unjudged for record in screened)
    below = [record for record in records if not record.screened]
    sampled = [record.judgement.is_regression for record in below if record.judgement is not None]
    if below and not sampled:
        raise DataError("no unscreened pair was judged: set audit.unscreened_rate above 0.")
    cases = sum(record.severity is not None for record in screened)
    return screened_rate(
        Stratum(len(screened), judged, cases), Stratum(len(below), len(sampled), sum(sampled)), confidence
    )


def _judge_corrected(records: Sequence[AuditRecord], annotated: Sequence[AnnotatedPair], confidence: float) -> Interval:
    """Rogan-Gladen among screened pairs, as a share of all: the judge's errors come from annotated screened pairs."""
    screened = {r.item_id: r.severity is not None for r in records if r.screened and not r.unjudged}
    labels = [(pair.consensus is not None, screened[pair.item_id]) for pair in annotated if pair.item_id in screened]
    positives, negatives = ([flagged for drift, flagged in labels if drift is kind] for kind in (True, False))
    if not positives or not negatives:
        raise DataError("no annotated screened pairs of both kinds: the judge's errors are unknown.")
    share = sum(record.screened for record in records) / len(records)
    interval = rogan_gladen(
        sum(screened.values()), len(screened), sum(positives), len(positives), negatives.count(False), len(negatives),
        confidence, overlap=True,
    )  # fmt: skip
    return Interval(*(None if value is None else value * share for value in interval))


def _powered(
    items: Sequence[Item], records: Sequence[AuditRecord], annotated: Sequence[AnnotatedPair], confidence: float
) -> Interval:
    """Prediction-powered, stratified as the annotated pairs were drawn: condition x screened."""
    if not annotated:
        raise DataError("no annotated pairs: `dart annotate` makes them.")
    condition = {item.id: item.condition for item in items}
    label = {pair.item_id: float(pair.consensus is not None) for pair in annotated}
    strata: dict[tuple[str, bool], list[AuditRecord]] = {}
    for record in records:
        if record.unjudged:
            continue
        strata.setdefault((condition[record.item_id], record.screened), []).append(record)
    parts = []
    for _, stratum in sorted(strata.items()):
        flagged = {record.item_id: float(record.severity is not None) for record in stratum}
        chosen = [item for item in flagged if item in label]
        rest = [value for item, value in flagged.items() if item not in label]
        parts.append(LabelledStratum([label[item] for item in chosen], [flagged[item] for item in chosen], rest))
    return prediction_powered_rate(parts, confidence)
