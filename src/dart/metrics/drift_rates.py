"""The drift rate with an honest denominator, each correction beside the raw count and, where known, the truth.

The paper divides confirmed cases by all pairs (435 / 1,624). That treats unscreened pairs as safe and the judge as
infallible. How often the judge would say drift over all pairs follows from the random sample of unscreened pairs that
it saw; what is drift follows from annotated pairs of the same audit. To an audit that has none, the judge's errors that
those of the first audit show are carried over, which is an assumption and is called one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dart.core.errors import DataError
from dart.core.records import AuditRecord, Item
from dart.core.schema.method import Statistics
from dart.metrics.run import CONTROL, StudentRun
from dart.stats.annotation import AnnotatedPair
from dart.stats.drift import Cases
from dart.stats.intervals import Interval
from dart.stats.prevalence import (
    Judge,
    LabelledStratum,
    Stratum,
    prediction_powered_rate,
    rate_difference,
    screened_rate,
    screened_share_rate,
    stratified_rate,
)

VARIANT_OF = {"before": "distilled", "after": "repaired", "control": "control"}
DIFFERENCES = (("before", "after"), ("before", CONTROL), (CONTROL, "after"))
NO_VERDICTS: Mapping[str, bool] = {}
NO_LABELS: Mapping[str, Sequence[AnnotatedPair]] = {}


# Deviates from the paper: drift-denominator - the raw rate is the paper's, the others are beside it
def drift_rates(
    items: Sequence[Item],
    student: StudentRun,
    statistics: Statistics,
    true: Mapping[str, Cases] | None,
    annotated: Mapping[str, Sequence[AnnotatedPair]] = NO_LABELS,
    verdicts: Mapping[str, bool] = NO_VERDICTS,
) -> dict[str, Any]:
    """{audit: {n, raw, judge_rate, rogan_gladen, prediction_powered, true, true_screened}, differences} of one student.

    raw: confirmed / n. judge_rate: what the judge would say over all pairs, by inverse probability from the judged
    sample of unscreened ones; its false alarms are in it. rogan_gladen: drift among screened pairs / n, corrected for
    the judge's errors, which for audits without annotated pairs are those of the first audit. prediction_powered: over
    all pairs, from the annotators' labels. Each {estimate, ci}, or {"note"} where it cannot be had. `true` and
    `true_screened` are what they estimate, known in the embedded world only. differences: {"before_after", ...} of
    rogan_gladen and of the truth, paired by item.

    Where the judge refused screened pairs: `refused`, their number, and `bounds`, the raw rate if none of them drifted
    and if all did. The other estimates leave them out, as if they were missing at random.

    Args:
        annotated: labelled pairs by audit; "before" are base against distilled.
        verdicts: the judge's on the pairs of "before", screened or not, by item.
    """
    rates: dict[str, Any] = {}
    judges = {when: judge_of(items, records, annotated.get(when, ())) for when, records in student.audits.items()}
    judge = judges.get("before")
    for when, variant in VARIANT_OF.items():  # of the student's audits; the teacher's is beside them
        if when in student.audits:
            audit = student.audits[when]
            rates[when] = _rates(audit, judges[when] or judge, judges[when] is not None, statistics.confidence)
            own, said = annotated.get(when, ()), verdicts if when == "before" else NO_VERDICTS
            rates[when]["prediction_powered"] = _or_note(
                lambda audit=audit, own=own, said=said: _powered(items, audit, own, said, statistics.confidence)  # type: ignore[misc]
            )
            if true is not None:
                rates[when] |= _truth(audit, true[variant])
    differences = {
        f"{first}_{second}": _difference(student.audits[first], student.audits[second], judge, statistics)
        | ({} if true is None else _true_difference(student.audits, true, first, second))
        for first, second in DIFFERENCES
        if first in student.audits and second in student.audits
    }
    return {**rates, "differences": differences}


def judge_of(items: Sequence[Item], records: Sequence[AuditRecord], annotated: Sequence[AnnotatedPair]) -> Judge | None:
    """The judge's hits and passes on annotated screened pairs; None where there are not both kinds of them.

    Pairs were drawn in equal numbers from conditions that the screen does not let through equally often: each counts
    as many pairs as it stands for, scaled to the effective size of the sample (Kish).
    """
    condition = {item.id: item.condition for item in items}
    screened = {r.item_id: r.severity is not None for r in records if r.screened and not r.unjudged}
    chosen = [pair for pair in annotated if pair.item_id in screened]
    drawn: dict[str, int] = {}
    held: dict[str, int] = {}
    for pair in chosen:
        drawn[condition[pair.item_id]] = drawn.get(condition[pair.item_id], 0) + 1
    for item in screened:
        held[condition[item]] = held.get(condition[item], 0) + 1
    counts = []
    for kind in (True, False):
        part = [pair.item_id for pair in chosen if (pair.consensus is not None) is kind]
        if not part:
            return None
        weight = np.array([held[condition[item]] / drawn[condition[item]] for item in part])
        right = np.array([screened[item] is kind for item in part])
        size = max(1, round(float(weight.sum() ** 2 / (weight**2).sum())))
        counts += [round(float((weight * right).sum() / weight.sum()) * size), size]
    return Judge(*counts)


def _rates(records: Sequence[AuditRecord], judge: Judge | None, own: bool, confidence: float) -> dict[str, Any]:
    n = len(records)
    screened = [record for record in records if record.screened]
    unjudged = sum(record.unjudged for record in screened)
    confirmed = sum(record.severity is not None for record in screened)

    def corrected() -> Interval:
        if judge is None:
            raise DataError("no annotated screened pairs of both kinds: the judge's errors are unknown.")
        if len(screened) == unjudged:
            raise DataError("no pair was screened and judged.")
        judged = len(screened) - unjudged
        inside = screened_share_rate(confirmed, judged, n - unjudged, judge, confidence, overlap=own)
        factor = len(screened) / n / (judged / (n - unjudged))  # what was refused is taken to drift as often
        return Interval(*(None if value is None else min(1.0, value * factor) for value in inside))

    refused = {"refused": unjudged, "bounds": [round(confirmed / n, 6), round((confirmed + unjudged) / n, 6)]}
    return {
        "n": n,
        "screened": len(screened),
        "raw": stratified_rate([Stratum(n, n, confirmed)], confidence).json(),
        "judge_rate": _or_note(lambda: _by_probability(records, confidence)),
        "rogan_gladen": _or_note(corrected),
        **(refused if unjudged else {}),
    }


def _truth(records: Sequence[AuditRecord], true: Cases) -> dict[str, float]:
    true_screened = sum(record.item_id in true for record in records if record.screened)
    return {"true": round(len(true) / len(records), 6), "true_screened": round(true_screened / len(records), 6)}


def _difference(
    first: Sequence[AuditRecord], second: Sequence[AuditRecord], judge: Judge | None, statistics: Statistics
) -> dict[str, Any]:
    """Second minus first in corrected drift among screened pairs, paired by item."""
    if judge is None:
        return {"note": "no annotated screened pairs of both kinds: the judge's errors are unknown."}
    other = {record.item_id: _state(record) for record in second}
    table = np.zeros((3, 3), dtype=np.int64)
    for record in first:
        table[_state(record), other[record.item_id]] += 1
    return rate_difference(table, judge, statistics.confidence).json()


def _state(record: AuditRecord) -> int:
    """0: not screened, 1: screened and passed, 2: screened and confirmed."""
    return 2 if record.screened and record.severity is not None else int(record.screened)


def _true_difference(
    audits: Mapping[str, Sequence[AuditRecord]], true: Mapping[str, Cases], first: str, second: str
) -> dict[str, float]:
    shares = [_truth(audits[when], true[VARIANT_OF[when]])["true_screened"] for when in (first, second)]
    return {"true_screened": round(shares[1] - shares[0], 6)}


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


def _powered(
    items: Sequence[Item],
    records: Sequence[AuditRecord],
    annotated: Sequence[AnnotatedPair],
    verdicts: Mapping[str, bool],
    confidence: float,
) -> Interval:
    """Prediction-powered, stratified as the annotated pairs were drawn: condition x screened.

    Below the screen the judge saw a random sample; with its verdicts on the annotated pairs there, the sample's
    verdicts enter as the predictions that they are. Without, these strata rest on labels alone.
    """
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
    for (_, is_screened), stratum in sorted(strata.items()):
        chosen = [record.item_id for record in stratum if record.item_id in label]
        if is_screened:
            flagged = {record.item_id: float(record.severity is not None) for record in stratum}
        else:
            flagged = {r.item_id: float(r.judgement.is_regression) for r in stratum if r.judgement is not None}
            flagged |= {item: float(verdicts[item]) for item in chosen if item in verdicts}
            if not all(item in flagged for item in chosen):
                flagged = dict.fromkeys(chosen, 0.0)
        rest = [value for item, value in flagged.items() if item not in label]
        truth = [label[item] for item in chosen]
        parts.append(LabelledStratum(truth, [flagged[item] for item in chosen], rest, len(stratum)))
    return prediction_powered_rate(parts, confidence)
