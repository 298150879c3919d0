"""The training sets of Stage I and Stage III: distillation rows, and safe targets repeated by severity (Section 2.5).

Copies are the weight: a target of weight 3 stands three times in the set, each copy under a key of its own, and
nothing later may take duplicates out (with a de-duplication, weighted and uniform would train the same model).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from dart import prompts
from dart.errors import DataError
from dart.records import Item, Rationale, RepairTarget
from dart.settings.recipe import SeverityWeights
from dart.student.rows import TrainingRow


def distillation_rows(
    rationales: Sequence[Rationale], items_by_id: Mapping[str, Item], gold: bool = True
) -> list[TrainingRow]:
    """The accepted rationales as training rows under the inference prompt (E.3), in their order; key: the item's id.

    Args:
        gold: whether they must explain the gold labels; False where the teacher was told others, or none (Table 23).

    Raises:
        DataError: none is accepted, an item is unknown or occurs twice, or a rationale explains another label.
    """
    _refuse_repeated(rationale.item_id for rationale in rationales)
    rows = []
    for rationale in rationales:
        item = _known(items_by_id, rationale.item_id)
        if gold and rationale.label != item.gold:
            raise DataError(
                f"The rationale of {item.id} explains {rationale.label}, but the item's gold label is {item.gold}. "
                "The rationales belong to another suite: run `dvc repro distill`."
            )
        if rationale.accepted:
            rows.append(_row(item.id, item, rationale.text))
    if not rows:
        raise DataError(
            f"None of the {len(rationales)} rationales is accepted, so there is nothing to train on. "
            "Their `problems` say why; relax `distill` in params.yaml or use another teacher."
        )
    return rows


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
    _refuse_repeated(target.item_id for target in targets)
    rows = distillation_rows(rationales, items_by_id, gold)
    for target in targets:
        if not target.accepted:
            continue
        item = _known(items_by_id, target.item_id)
        copies: int = getattr(weights, target.severity)
        rows.extend(_row(f"{item.id}#repair-{copy}", item, target.text) for copy in range(1, copies + 1))
    return rows


def _row(key: str, item: Item, response: str) -> TrainingRow:
    return TrainingRow(key=key, messages=tuple(prompts.inference(item.prompt)), response=response)


def _known(items_by_id: Mapping[str, Item], item_id: str) -> Item:
    if item_id not in items_by_id:
        raise DataError(f"{item_id} is not among the {len(items_by_id)} items given. Run `dvc repro` for one suite.")
    return items_by_id[item_id]


def _refuse_repeated(item_ids: Iterable[str]) -> None:
    repeated = [item_id for item_id, count in Counter(item_ids).items() if count > 1]
    if repeated:
        raise DataError(
            f"{len(repeated)} items occur more than once, e.g. {repeated[0]}: copies are made here, by weight, and "
            "nowhere else. Write the file again with `dvc repro`."
        )
