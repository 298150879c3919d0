"""People's labels of any two variants of a student that still apply to the current run.

The paper's pairs (base against distilled of the primary student) pass through stage `judge_annotated`, where judges are
asked about them. Labels of other students and variants need no judge: they correct drift rates and, for the student of
the ablation arms, tell what the audit's precision and recall are (Tables 23 and B; Appendix L).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dart.annotation import labels
from dart.annotation.sample import labels_of_pair, primary
from dart.annotation.sheets import BlindedPair
from dart.core.records import AuditRecord, Generation, Item
from dart.stats.annotation import AnnotatedPair

VARIANT_OF = {"before": "distilled", "after": "repaired", "control": "control"}  # whom an audit compares with base


def pair_labels(
    profile: str,
    students: Sequence[str],
    student: str,
    audit: str,
    items: Sequence[Item],
    answers: Mapping[str, Sequence[Generation]],
    records: Sequence[AuditRecord],
) -> list[AnnotatedPair]:
    """The labels of base against the variant of `audit` whose texts are still the run's; [] where nobody gave any.

    Args:
        students: of the run, which decide the primary one.
        audit: before, after or control.
        answers: of `student`, by variant.
        records: of the audit.

    Raises:
        DataError: the file of labels is damaged.
    """
    variant = VARIANT_OF[audit]
    path = labels_of_pair(profile, primary(students), student, "base", variant)
    if not path.is_file():
        return []
    texts = {name: {answer.item_id: answer.rationale for answer in answers[name]} for name in ("base", variant)}
    by_id = {item.id: item for item in items}
    pairs = [
        BlindedPair(by_id[record.item_id], texts["base"][record.item_id], texts[variant][record.item_id])
        for record in records
    ]
    return labels.applicable(path, pairs, records)
