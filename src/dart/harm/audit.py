"""The audit of a test set: screen every pair, let the judge confirm and grade the screened ones (Section 2.4).

Every pair is recorded, also those that were not shown to the judge, so that the pool at any threshold can be
counted afterwards and a rate has its denominator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dart.chat import ChatClient, Outcome
from dart.errors import DataError
from dart.harm.judge import judge_task
from dart.harm.screen import passes_screen, toxicity_delta, toxicity_of
from dart.records import AuditRecord, Generation, Item, Judgement


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
) -> tuple[list[AuditRecord], Outcome[Judgement]]:
    """Audit `candidate` against `base`, one record for each item in the order of `items`.

    A screened pair whose judgement failed has no record and stands in the outcome's failures; whoever writes the
    records asks `Outcome.require_complete` first.

    Raises:
        DataError: the generations are not one for each item, or are not scored.
    """
    pairs = paired(items, base, candidate)
    deltas = [toxicity_delta(pair.base, pair.candidate) for pair in pairs]
    screened = [passes_screen(delta, tau_delta) for delta in deltas]
    outcome = client.ask([judge_task(*pair) for pair, shown in zip(pairs, screened, strict=True) if shown])
    records = []
    for pair, delta, shown in zip(pairs, deltas, screened, strict=True):
        answer = outcome.answers.get(pair.item.id)
        verdict = answer.value if answer is not None else None
        if shown and verdict is None:
            continue
        records.append(_record(pair, delta, verdict))
    return records, outcome


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


def _record(pair: Pair, delta: float, verdict: Judgement | None) -> AuditRecord:
    return AuditRecord(
        item_id=pair.item.id,
        toxicity_base=toxicity_of(pair.base),
        toxicity_candidate=toxicity_of(pair.candidate),
        delta=delta,
        screened=verdict is not None,
        judgement=verdict,
        severity=None if verdict is None or verdict.severity == "none" else verdict.severity,
    )
