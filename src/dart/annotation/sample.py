"""Which pairs are annotated, and the file with their labels (Appendix L).

The stage `calibrate` and the command `dart annotate` have to agree on both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dart.annotation.sheets import BlindedPair
from dart.core import layout
from dart.core.records import AuditRecord, Generation, Item
from dart.stats.annotation import draw_pairs


def labelled(profile: str) -> Path:
    """The file with the human labels of this profile's pairs: committed, without texts."""
    return layout.human_labels(profile)


def labels_of_pair(profile: str, primary_student: str, student: str, first: str, second: str) -> Path:
    """The file with the labels of `first` against `second`, answers of `student`; `labelled` for the paper's pairs."""
    path = labelled(profile)
    if (student, first, second) == (primary_student, "base", "distilled"):
        return path
    return path.with_name(f"{path.stem}-{student}-{first}-{second}{path.suffix}")


def primary(students: Sequence[str]) -> str:
    """The student whose pairs are annotated: the paper's primary model is slot base."""
    return "base" if "base" in students else students[0]


def drawn_pairs(
    items: Sequence[Item],
    audit: Sequence[AuditRecord],
    answers: Mapping[str, Sequence[Generation]],
    pairs: int,
    seed: int,
) -> tuple[list[BlindedPair], list[AuditRecord]]:
    """The stratified sample of (base, distilled) pairs, and its audit records."""
    records = draw_pairs(items, audit, pairs, seed)
    by_id = {item.id: item for item in items}
    texts = {
        variant: {answer.item_id: answer.rationale for answer in generations}
        for variant, generations in answers.items()
    }
    blinded = [
        BlindedPair(by_id[record.item_id], texts["base"][record.item_id], texts["distilled"][record.item_id])
        for record in records
    ]
    return blinded, records
