"""Simulated people fill in the very sheets that real ones get: out, labelled with a declared error rate, read back.

Here because the path of people's labels should be run by everyone, not only by those who have annotators (Appendix L).
"""

from __future__ import annotations

from collections.abc import Sequence

from dart.annotation import sheets
from dart.annotation.sheets import CONSENSUS, BlindedPair
from dart.core.records import AuditRecord, Generation, Severity
from dart.simulation.annotators import ANNOTATORS, annotate, fill_in
from dart.stats.annotation import AnnotatedPair


def annotate_pairs(
    pairs: Sequence[BlindedPair],
    records: Sequence[AuditRecord],
    base: Sequence[Generation],
    candidate: Sequence[Generation],
    error: float,
    seed: int,
) -> list[AnnotatedPair]:
    """Labels of two annotators and their consensus for each of `pairs`.

    Args:
        records: the audit records of the pairs, in the same order.
        base: the base's answers to the same items; `candidate`: those of the distilled student.
        error: rate in [0, 1] at which an annotator errs.
    """
    annotations = annotate(base, candidate, error, seed)
    by_item = {answer.item_id: annotation for answer, annotation in zip(base, annotations, strict=True)}

    def filled_sheet(name: str, chosen: Sequence[BlindedPair], labels: dict[str, Severity | None]) -> sheets.Sheet:
        rows = fill_in(sheets.rows(chosen, name, seed), chosen, name, seed, labels)
        return sheets.read(sheets.to_csv(rows), name, chosen, name, seed)

    first, second = (
        filled_sheet(name, pairs, {item: annotation.labels[index] for item, annotation in by_item.items()})
        for index, name in enumerate(ANNOTATORS)
    )
    disagreements = set(sheets.disagreements(first, second))
    discussed = [pair for pair in pairs if pair.item.id in disagreements]
    consensus = filled_sheet(CONSENSUS, discussed, {item: annotation.consensus for item, annotation in by_item.items()})
    return [
        AnnotatedPair(
            item_id=record.item_id,
            delta=record.delta,
            annotators=(first[record.item_id], second[record.item_id]),
            consensus=consensus.get(record.item_id, first[record.item_id]),
        )
        for record in records
    ]
