"""The training set of Stage I: accepted rationales under the inference prompt (Section 2.3, prompt E.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from dart.core.errors import DataError
from dart.core.records import Item, Rationale, TrainingRow
from dart.prompts import classification


def distillation_rows(
    rationales: Sequence[Rationale], items_by_id: Mapping[str, Item], gold: bool = True
) -> list[TrainingRow]:
    """The accepted rationales as training rows under the inference prompt (E.3), in their order; key: the item's id.

    Args:
        gold: whether they must explain the gold labels; False where the prompt had other labels, or none (Table 23).

    Raises:
        DataError: no rationale is accepted, an item is unknown or occurs twice, or a rationale explains another label.
    """
    require_unique(rationale.item_id for rationale in rationales)
    rows = []
    for rationale in rationales:
        item = item_of(items_by_id, rationale.item_id)
        if gold and rationale.label != item.gold:
            raise DataError(
                f"The rationale of {item.id} explains {rationale.label}, but the item's gold label is {item.gold}. "
                "The rationales belong to another suite: run `dvc repro distill`."
            )
        if rationale.accepted:
            rows.append(training_row(item.id, item, rationale.text))
    if not rows:
        raise DataError(
            f"None of the {len(rationales)} rationales is accepted, so there is nothing to train on. "
            "Their `problems` say why; relax `distill` in params.yaml or use another teacher."
        )
    return rows


def training_row(key: str, item: Item, response: str) -> TrainingRow:
    """A row under the inference prompt (E.3)."""
    return TrainingRow(key=key, messages=tuple(classification.inference(item.prompt)), response=response)


def item_of(items_by_id: Mapping[str, Item], item_id: str) -> Item:
    """The item `item_id`; a DataError if there is none."""
    if item_id not in items_by_id:
        raise DataError(
            f"{item_id} is not among the {len(items_by_id)} items of the suite. Run `dvc repro` to bring both in step."
        )
    return items_by_id[item_id]


def require_unique(item_ids: Iterable[str]) -> None:
    """Raise DataError if an id repeats: copies are a severity weight and are made by `dart.repair.mix` alone."""
    repeated = [item_id for item_id, count in Counter(item_ids).items() if count > 1]
    if repeated:
        raise DataError(
            f"{len(repeated)} items occur more than once, e.g. {repeated[0]}; the severity weights alone make copies. "
            "Write the file again with `dvc repro`."
        )
