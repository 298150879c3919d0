"""Fill splits and folds with whole scenarios, so that no near-duplicate of a test item is in training.

A random split of items puts siblings of nearly every test item of D3, D4, N1, N3 and N4 into training (the README of
the suite: "a random item split leaks scenarios"). `split.by: scenario` uses this module; the paper does not.
Deviation of Section 3.1 and appendix A.2.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from dart.core.records import Condition
from dart.core.seeds import digest
from dart.suite.raw import CONDITIONS, RawItem

Counts = dict[Condition, int]
Strata = Mapping[Condition, Sequence[RawItem]]  # per condition, in the order of the seeded draw


class Scenario(NamedTuple):
    """Items that are variants of one another. `rank` is the scenario's rank in the seeded draw."""

    rank: int
    members: dict[Condition, list[RawItem]]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.members["DIFF"]), len(self.members["EQUAL"])


class Allotment(NamedTuple):
    """`selected` per split and condition; `surplus` holds items of a split's scenarios beyond its size."""

    selected: dict[str, dict[Condition, list[RawItem]]]
    surplus: dict[str, list[RawItem]]
    free: list[RawItem]  # items of scenarios that no split uses


def scenarios(strata: Strata, seed: int) -> list[Scenario]:
    """Group by scenario, in an order drawn by `seed`. Both conditions of one scenario id belong together."""
    members: dict[str, dict[Condition, list[RawItem]]] = {}
    for condition in CONDITIONS:
        for item in strata[condition]:
            members.setdefault(item.scenario, {name: [] for name in CONDITIONS})[condition].append(item)
    order = sorted(members, key=lambda name: digest(seed, name))
    return [Scenario(rank, members[name]) for rank, name in enumerate(order)]


def allot(groups: Iterable[Scenario], quotas: Mapping[str, Counts]) -> Allotment:
    """Give whole scenarios to splits until the quotas are met, or no scenario can bring a split nearer.

    The split that is furthest from its size chooses next, so that a shortage is shared; it takes the scenario that
    leaves the least over, and among equals the first of the seeded draw.
    """
    queues: defaultdict[tuple[int, int], deque[Scenario]] = defaultdict(deque)
    for group in sorted(groups, key=lambda group: group.rank):
        queues[group.shape].append(group)
    need = {split: dict(quota) for split, quota in quotas.items()}
    result = Allotment(
        {split: {name: [] for name in CONDITIONS} for split in quotas}, {split: [] for split in quotas}, []
    )
    open_splits = list(quotas)
    while open_splits:
        split = max(open_splits, key=lambda name: sum(need[name].values()) / max(1, sum(quotas[name].values())))
        shape = _best_shape(queues, need[split])
        if shape is None:
            open_splits.remove(split)
            continue
        group = queues[shape].popleft()
        if not queues[shape]:
            del queues[shape]
        for condition in CONDITIONS:
            used = min(len(group.members[condition]), need[split][condition])
            need[split][condition] -= used
            result.selected[split][condition].extend(group.members[condition][:used])
            result.surplus[split].extend(group.members[condition][used:])
    for queue in queues.values():
        result.free.extend(item for group in queue for condition in CONDITIONS for item in group.members[condition])
    return result


def _best_shape(queues: Mapping[tuple[int, int], deque[Scenario]], need: Counts) -> tuple[int, int] | None:
    best: tuple[int, int, tuple[int, int]] | None = None
    for shape, queue in queues.items():
        gain = min(shape[0], need["DIFF"]) + min(shape[1], need["EQUAL"])
        if gain:
            candidate = (sum(shape) - gain, queue[0].rank, shape)
            best = candidate if best is None else min(best, candidate)
    return None if best is None else best[2]


def fold_of_scenarios(groups: Iterable[Scenario], folds: int, load: list[int]) -> dict[RawItem, int]:
    """Assign whole scenarios to folds, the largest first, each to the fold that has least of its conditions.

    `load` counts all items per fold over the benchmarks seen so far and is updated; it breaks ties.
    """
    counts: list[Counts] = [{"DIFF": 0, "EQUAL": 0} for _ in range(folds)]
    assigned: dict[RawItem, int] = {}
    for group in sorted(groups, key=lambda group: (-sum(group.shape), group.rank)):
        fold = min(range(folds), key=lambda index: (_overlap(counts[index], group), load[index], index))
        for condition in CONDITIONS:
            counts[fold][condition] += len(group.members[condition])
            load[fold] += len(group.members[condition])
            assigned.update((item, fold) for item in group.members[condition])
    return assigned


def _overlap(counts: Counts, group: Scenario) -> int:
    return sum(counts[condition] * len(group.members[condition]) for condition in CONDITIONS)
