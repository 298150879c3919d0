"""Bring records into the order of their items, one to one, or say which ids stand in the way.

Every statistic of the paper is paired: a lost or doubled row would silently compare different prompts
(Section 2.4, "paired generation"). Nothing is dropped here; what does not pair is an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from dart.core.errors import DataError
from dart.core.records import Item


class ForItem(Protocol):
    """A record that belongs to one item."""

    @property
    def item_id(self) -> str: ...


T = TypeVar("T", bound=ForItem)

_SHOWN = 5


def _named(ids: Iterable[str]) -> str:
    ordered = sorted(ids)
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return ", ".join(ordered[:_SHOWN]) + more


def in_item_order(items: Sequence[Item], records: Sequence[T], what: str) -> list[T]:
    """The records in the order of `items`; `what` names them in the error, e.g. "small/base generations".

    Raises:
        DataError: an id occurs twice, is missing, or is not among the items.
    """
    expected = Counter(item.id for item in items)
    actual = Counter(record.item_id for record in records)
    problems = []
    if doubled := [key for key, count in expected.items() if count > 1]:
        problems.append(f"items with the same id: {_named(doubled)}")
    if doubled := [key for key, count in actual.items() if count > 1]:
        problems.append(f"duplicate ids: {_named(doubled)}")
    if missing := expected.keys() - actual.keys():
        problems.append(f"missing ids: {_named(missing)}")
    if unknown := actual.keys() - expected.keys():
        problems.append(f"ids that no item has: {_named(unknown)}")
    if problems:
        raise DataError(
            f"{what}: {len(records)} records do not pair one to one with {len(items)} items; {'; '.join(problems)}. "
            "The files come from different runs: run `dvc repro` to bring them in step."
        )
    by_id = {record.item_id: record for record in records}
    return [by_id[item.id] for item in items]
