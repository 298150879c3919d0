"""The audit of a test set: screen every pair, let the judge confirm and grade the screened ones (Section 2.4).

Every pair is recorded, judged or not, so that the pool at any threshold can be counted afterwards and a rate has its
denominator. A random sample of the pairs below the screen is judged as well: without it the screen's misses would
remain unknown. It enters rates, and never repair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dart.chat.tasks import Outcome
from dart.core.errors import DataError
from dart.core.records import AuditRecord, Generation, Item, Judgement, Label
from dart.core.refusal import Refusal
from dart.core.schema.method import Audit
from dart.core.seeds import unit_interval
from dart.harm.judge import JudgeAttempt, JudgeClient, combine_verdicts, judge_task, task_key
from dart.harm.screen import passes_screen, toxicity_delta, toxicity_of


class Pair(NamedTuple):
    """The answers of base and candidate to one item."""

    item: Item
    base: Generation
    candidate: Generation


def audit(
    items: Sequence[Item],
    base: Sequence[Generation],
    candidate: Sequence[Generation],
    tau_delta: float,
    client: JudgeClient,
    protocol: Audit,
    seed: int,
    labels: Mapping[str, Label] | None = None,
) -> tuple[list[AuditRecord], Outcome[Judgement]]:
    """Audit `candidate` against `base`, one record for each item in the order of `items`.

    A pair that the judge refused has a record with `refusal` and without a judgement: it is neither drift nor safe. A
    pair with a failed judgement has no record, and its tasks are in the outcome's failures: call
    `Outcome.require_complete` before the records are written.

    Args:
        protocol: screen, orders, votes and the rate of judged pairs below the screen.
        seed: of the sample below the screen.
        labels: shown to the judge instead of the gold labels, as for `judge_task`; {} shows none. The screen uses no
            label.

    Raises:
        DataError: the generations are not one for each item, or are not scored.
    """
    pairs = pair_by_item(items, base, candidate)
    deltas = [toxicity_delta(pair.base, pair.candidate) for pair in pairs]
    screened = [passes_screen(delta, tau_delta, protocol.screen) for delta in deltas]
    judged = [passed or is_sampled(pair.item, protocol, seed) for pair, passed in zip(pairs, screened, strict=True)]
    attempts = judge_attempts(protocol)
    selected = [pair for pair, is_judged in zip(pairs, judged, strict=True) if is_judged]
    outcome = client.ask(
        [judge_task(*pair, attempt, labels) for pair in selected for order in attempts for attempt in order],
        may_miss=protocol.may_miss,
    )
    records = []
    for pair, delta, passed, is_judged in zip(pairs, deltas, screened, judged, strict=True):
        keys = [[task_key(pair.item.id, attempt) for attempt in order] for order in attempts]
        refusals = [outcome.refusals[key] for order in keys for key in order if key in outcome.refusals]
        unanswered = [refusal for refusal in refusals if refusal.fallback is None]
        answers = [[outcome.answers.get(key) for key in order] for order in keys]
        verdicts = [[answer.value for answer in order if answer and answer.value] for order in answers]
        if not is_judged or unanswered:
            verdicts = []
        elif [len(order) for order in verdicts] != [len(order) for order in attempts]:
            continue
        records.append(_record(pair, delta, passed, verdicts, next(iter([*unanswered, *refusals]), None)))
    return records, outcome


def judge_attempts(protocol: Audit) -> list[list[JudgeAttempt]]:
    """The judge's attempts at each judged pair: for each order, its votes."""
    orders = (False, True) if protocol.orders == "both" else (False,)
    return [[JudgeAttempt(swapped, vote) for vote in range(protocol.votes)] for swapped in orders]


# Deviates from the paper: unscreened-sample - a random sample of the pairs below the screen is judged as well
def is_sampled(item: Item, protocol: Audit, seed: int) -> bool:
    """Whether this pair is judged even if it is below the screen.

    Each item has a draw of its own, so that samples are nested: another threshold or a larger rate keeps every pair
    that was judged, and asks only about new ones.
    """
    return unit_interval(seed, "unscreened", item.id) < protocol.unscreened_rate


def pair_by_item(items: Sequence[Item], base: Sequence[Generation], candidate: Sequence[Generation]) -> list[Pair]:
    """Pair the generations by item id, in the order of `items`.

    Raises:
        DataError: an item occurs twice, or `base` or `candidate` does not answer exactly these items once.
    """
    expected = [item.id for item in items]
    for name, ids in (
        ("items", expected),
        ("base generations", [generation.item_id for generation in base]),
        ("candidate generations", [generation.item_id for generation in candidate]),
    ):
        repeated = len(ids) - len(set(ids))
        missing = sorted(set(expected) - set(ids))
        unknown = sorted(set(ids) - set(expected))
        if repeated or missing or unknown:
            example = f", e.g. {(missing + unknown)[0]}" if missing or unknown else ""
            raise DataError(
                f"The {name} do not match the {len(expected)} items of the audit: {len(missing)} missing, "
                f"{len(unknown)} of other items, {repeated} repeated{example}. Generate them again for this suite."
            )
    bases = {generation.item_id: generation for generation in base}
    candidates = {generation.item_id: generation for generation in candidate}
    return [Pair(item, bases[item.id], candidates[item.id]) for item in items]


# Deviates from the paper: refusals - a pair that the judge declines is neither drift nor safe
def _record(
    pair: Pair, delta: float, screened: bool, verdicts: Sequence[Sequence[Judgement]], refusal: Refusal | None
) -> AuditRecord:
    judgement, flipped = combine_verdicts(verdicts) if verdicts else (None, False)
    all_verdicts = tuple(verdict for order in verdicts for verdict in order)
    severity = judgement.severity if judgement is not None and screened else "none"
    return AuditRecord(
        item_id=pair.item.id,
        toxicity_base=toxicity_of(pair.base),
        toxicity_candidate=toxicity_of(pair.candidate),
        delta=delta,
        screened=screened,
        sampled=judgement is not None and not screened,
        judgement=judgement,
        severity=None if severity == "none" else severity,
        flipped=flipped if len(verdicts) > 1 else None,
        verdicts=all_verdicts if len(all_verdicts) > 1 else (),
        refusal=refusal,
    )
