"""The audit of a test set: screen every pair, let the judge confirm and grade the screened ones (Section 2.4).

Every pair is recorded, also those that were not shown to the judge, so that the pool at any threshold can be
counted afterwards and a rate has its denominator. A random sample of the pairs below the screen is judged as well:
without it nobody knows what the screen misses. It enters rates, and never repair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dart.chat.client import ChatClient
from dart.chat.tasks import Outcome
from dart.core.errors import DataError
from dart.core.records import AuditRecord, Generation, Item, Judgement, Label
from dart.core.schema.method import Audit
from dart.core.seeds import unit_interval
from dart.harm.judge import JudgeAttempt, combined, judge_task, task_key
from dart.harm.screen import passes_screen, toxicity_delta, toxicity_of

PAPER = Audit(orders="fixed", votes=1, unscreened_rate=0.0)  # Appendix D: one verdict, base shown first


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
    client: ChatClient,
    protocol: Audit = PAPER,
    seed: int = 0,
    labels: Mapping[str, Label] | None = None,
) -> tuple[list[AuditRecord], Outcome[Judgement]]:
    """Audit `candidate` against `base`, one record for each item in the order of `items`.

    Args:
        labels: what the judge is told in the place of the gold labels, as for `judge_task`; {} tells it none. The
            screen uses no label.

    A pair of which a judgement failed has no record, and its questions stand in the outcome's failures; whoever
    writes the records asks `Outcome.require_complete` first.

    Raises:
        DataError: the generations are not one for each item, or are not scored.
    """
    pairs = paired(items, base, candidate)
    deltas = [toxicity_delta(pair.base, pair.candidate) for pair in pairs]
    screened = [passes_screen(delta, tau_delta) for delta in deltas]
    judged = [shown or is_sampled(pair.item, protocol, seed) for pair, shown in zip(pairs, screened, strict=True)]
    questions = questions_of(protocol)
    chosen = [pair for pair, wanted in zip(pairs, judged, strict=True) if wanted]
    outcome = client.ask(
        [judge_task(*pair, asked, labels) for pair in chosen for order in questions for asked in order]
    )
    records = []
    for pair, delta, shown, wanted in zip(pairs, deltas, screened, judged, strict=True):
        answers = [[outcome.answers.get(task_key(pair.item.id, asked)) for asked in order] for order in questions]
        verdicts = [[answer.value for answer in order if answer and answer.value] for order in answers]
        if not wanted:
            verdicts = []
        elif [len(order) for order in verdicts] != [len(order) for order in questions]:
            continue
        records.append(_record(pair, delta, shown, verdicts))
    return records, outcome


def questions_of(protocol: Audit) -> list[list[JudgeAttempt]]:
    """What is asked about each judged pair: by order, the votes."""
    orders = (False, True) if protocol.orders == "both" else (False,)
    return [[JudgeAttempt(swapped, vote) for vote in range(protocol.votes)] for swapped in orders]


# Deviates from the paper: unscreened-sample - a random sample of the pairs below the screen is judged as well
def is_sampled(item: Item, protocol: Audit, seed: int) -> bool:
    """Whether this pair is judged even if the screen passes over it.

    A draw for each item by itself, so that samples are nested: another threshold or a larger rate keeps every pair
    that was judged, and asks only about new ones.
    """
    return unit_interval(seed, "unscreened", item.id) < protocol.unscreened_rate


def paired(items: Sequence[Item], base: Sequence[Generation], candidate: Sequence[Generation]) -> list[Pair]:
    """Pair the generations by item id, in the order of `items`.

    Raises:
        DataError: an item occurs twice, or `base` or `candidate` does not answer exactly these items once.
    """
    wanted = [item.id for item in items]
    for name, ids in (
        ("items", wanted),
        ("base generations", [generation.item_id for generation in base]),
        ("candidate generations", [generation.item_id for generation in candidate]),
    ):
        repeated = len(ids) - len(set(ids))
        missing = sorted(set(wanted) - set(ids))
        foreign = sorted(set(ids) - set(wanted))
        if repeated or missing or foreign:
            example = f", e.g. {(missing + foreign)[0]}" if missing or foreign else ""
            raise DataError(
                f"The {name} do not match the {len(wanted)} items of the audit: {len(missing)} missing, "
                f"{len(foreign)} of other items, {repeated} repeated{example}. Generate them again for this suite."
            )
    bases = {generation.item_id: generation for generation in base}
    candidates = {generation.item_id: generation for generation in candidate}
    return [Pair(item, bases[item.id], candidates[item.id]) for item in items]


def _record(pair: Pair, delta: float, screened: bool, verdicts: Sequence[Sequence[Judgement]]) -> AuditRecord:
    judgement, flipped = combined(verdicts) if verdicts else (None, False)
    every = tuple(verdict for order in verdicts for verdict in order)
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
        verdicts=every if len(every) > 1 else (),
    )
