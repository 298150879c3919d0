"""The training set of Stage III: distillation rows, and safe targets repeated by severity (Section 2.5).

Copies are the weight: a target of weight 3 occurs three times in the set, each copy under a key of its own. Rows must
not be de-duplicated afterwards, or weighted and uniform repair would train the same model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dart.core.records import Item, Rationale, RepairTarget, TrainingRow
from dart.core.schema.method import SeverityWeights
from dart.distill.rows import distillation_rows, item_of, require_unique, training_row


def mix(
    rationales: Sequence[Rationale],
    targets: Sequence[RepairTarget],
    items_by_id: Mapping[str, Item],
    weights: SeverityWeights,
    gold: bool = True,
) -> list[TrainingRow]:
    """All distillation rows, then each accepted target as often as its severity weighs, keys ``<item>#repair-<n>``.

    Args:
        gold: as for `distillation_rows`.

    Raises:
        DataError: as for `distillation_rows`.
    """
    return [*distillation_rows(rationales, items_by_id, gold), *repair_copies(targets, items_by_id, weights)]


def repair_copies(
    targets: Sequence[RepairTarget], items_by_id: Mapping[str, Item], weights: SeverityWeights
) -> list[TrainingRow]:
    """Each accepted target as often as its severity weighs, keys ``<item>#repair-<n>``.

    Raises:
        DataError: a target's item is unknown or occurs twice.
    """
    require_unique(target.item_id for target in targets)
    rows: list[TrainingRow] = []
    for target in targets:
        if not target.accepted:
            continue
        item = item_of(items_by_id, target.item_id)
        copies: int = getattr(weights, target.severity)
        rows.extend(training_row(f"{item.id}#repair-{copy}", item, target.text) for copy in range(1, copies + 1))
    return rows
