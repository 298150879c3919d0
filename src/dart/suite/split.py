"""Select items and split them into train, validation and test, stratified by benchmark and condition; and folds.

Sizes are the paper's by default (Table 6: 600/200/200 of each benchmark, D1 224 in test). How the paper chose 8,024 of
the suite's 16,000 questions is not documented: here a seeded draw decides, by hash, so that neither the order of the
source nor another benchmark matters. Section 3.1, appendix A.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from dart.core.errors import DataError
from dart.core.records import Condition, Item
from dart.core.schema.method import Split
from dart.core.schema.profile import Sizes, SuiteSpec
from dart.core.seeds import digest, seed_for
from dart.suite.grouping import Counts, Scenario, Strata, allot, fold_of_scenarios, scenarios
from dart.suite.raw import CONDITIONS, RawItem, item_id

log = logging.getLogger(__name__)

SPLITS = ("train", "validation", "test")
_Parts = dict[str, list[RawItem]]  # the three splits and "outside"


class Suite(NamedTuple):
    """The splits, each in the order of the source; `outside` is what no split took (for the embedded base only)."""

    train: list[Item]
    validation: list[Item]
    test: list[Item]
    outside: list[Item]
    folds: dict[str, int]  # item id of train and test -> fold
    notes: tuple[str, ...] = ()  # how the split differs from the requested one, in words


def split_suite(raw: Sequence[RawItem], spec: SuiteSpec, split: Split, seed: int) -> Suite:
    """Select and split. The same items give the same suite in whatever order they come.

    Raises:
        DataError: too few items for the sizes asked, a split or fold without one of the conditions, two items with
            one id.
    """
    by_benchmark = _by_benchmark(raw)
    notes = [
        f"suite.sizes names {name}, which is not in the suite."
        for name in sorted(set(spec.sizes) - {"default"} - set(by_benchmark))
    ]
    parts: _Parts = {name: [] for name in (*SPLITS, "outside")}
    for benchmark, items in sorted(by_benchmark.items()):
        strata = {condition: _drawn(items[condition], seed, "split", benchmark, condition) for condition in CONDITIONS}
        quotas = _quotas(benchmark, spec.sizes_of(benchmark), {c: len(strata[c]) for c in CONDITIONS}, notes)
        if split.by == "scenario":
            groups = scenarios(strata, seed_for(seed, "split", benchmark, "scenario"))
            chosen = _whole_scenarios(benchmark, groups, quotas, notes)
        else:
            chosen = _any(strata, quotas)
        _require_both_conditions(benchmark, chosen, split.by)
        for name, members in chosen.items():
            parts[name].extend(members)
    folds = _folds([*parts["train"], *parts["test"]], split, seed)
    for note in notes:
        log.warning("%s", note)
    return Suite(
        **{name: [item.as_item() for item in sorted(members, key=_position)] for name, members in parts.items()},
        folds=folds,
        notes=tuple(notes),
    )


def _position(item: RawItem) -> tuple[str, str, int]:
    return item.benchmark, item.condition, item.index


def _by_benchmark(raw: Sequence[RawItem]) -> dict[str, dict[Condition, list[RawItem]]]:
    grouped: defaultdict[str, dict[Condition, list[RawItem]]] = defaultdict(lambda: {name: [] for name in CONDITIONS})
    ids = Counter(item_id(item) for item in raw)
    twice = sorted(name for name, count in ids.items() if count > 1)
    if twice:
        raise DataError(f"{len(twice)} item id(s) occur twice, first {twice[0]}. Give each item its own index.")
    for item in raw:
        grouped[item.benchmark][item.condition].append(item)
    if not grouped:
        raise DataError("The suite has no items. Check suite.source in the profile.")
    return dict(grouped)


def _drawn(items: Iterable[RawItem], *name: object) -> list[RawItem]:
    """The seeded draw: an order that depends on each item's own index alone, not on the others."""
    seed = seed_for(name[0], *name[1:])
    return sorted(items, key=lambda item: digest(seed, item.index))


def _quotas(benchmark: str, sizes: Sizes, available: Counts, notes: list[str]) -> dict[str, Counts]:
    """Items per split and condition: equal halves, or as near to them as the source allows.

    Where a condition has fewer items than half of all that is asked, each split gets its share of them, so that
    the ratio is the same in all splits ("similar DIFF/EQUAL ratios", Table 6).
    """
    requested, total = sizes.total, sum(available.values())
    if total < requested:
        raise DataError(
            f"{benchmark}: {requested} items requested (train {sizes.train}, validation {sizes.validation}, test "
            f"{sizes.test}) but only {total} available (DIFF {available['DIFF']}, EQUAL {available['EQUAL']}). "
            f"Lower suite.sizes.{benchmark} (or default) in the profile."
        )
    half = (requested + 1) // 2
    diff = min(max(half, requested - available["EQUAL"]), available["DIFF"])
    size_of = {name: getattr(sizes, name) for name in SPLITS}
    # Largest remainders: floors first, then one more to the splits with the largest fraction left.
    shares = {name: divmod(diff * size, requested) for name, size in size_of.items()}
    diff_of = {name: whole for name, (whole, _) in shares.items()}
    for name in sorted(SPLITS, key=lambda name: -shares[name][1])[: diff - sum(diff_of.values())]:
        diff_of[name] += 1
    if diff != half:
        notes.append(
            f"{benchmark}: no equal halves, the source has {available['DIFF']} DIFF and {available['EQUAL']} EQUAL "
            f"items; {diff} and {requested - diff} are used."
        )
    return {name: {"DIFF": diff_of[name], "EQUAL": size_of[name] - diff_of[name]} for name in SPLITS}


def _any(strata: Strata, quotas: Mapping[str, Counts]) -> _Parts:
    """The paper's split: items of one scenario may end anywhere."""
    parts: _Parts = {name: [] for name in (*SPLITS, "outside")}
    for condition in CONDITIONS:
        start = 0
        for name in SPLITS:
            stop = start + quotas[name][condition]
            parts[name].extend(strata[condition][start:stop])
            start = stop
        parts["outside"].extend(strata[condition][start:])
    return parts


def _whole_scenarios(
    benchmark: str, groups: Sequence[Scenario], quotas: Mapping[str, Counts], notes: list[str]
) -> _Parts:
    """No scenario in two splits, and none of validation or test outside either (the embedded base is trained there)."""
    # Deviates from the paper: scenario-split - an item split trains on near-duplicates of test items; off by default
    result = allot(groups, {name: quotas[name] for name in ("test", "validation", "train")})
    parts = {name: [item for c in CONDITIONS for item in result.selected[name][c]] for name in SPLITS}
    parts["outside"] = [*result.free, *result.surplus["train"]]
    for name in SPLITS:
        actual = {condition: len(result.selected[name][condition]) for condition in CONDITIONS}
        if actual != quotas[name]:
            notes.append(
                f"{benchmark}: {name} has {actual['DIFF']} DIFF and {actual['EQUAL']} EQUAL items instead of "
                f"{quotas[name]['DIFF']} and {quotas[name]['EQUAL']}: whole scenarios do not make up more."
            )
    held_back = len(result.surplus["validation"]) + len(result.surplus["test"])
    if held_back:
        notes.append(
            f"{benchmark}: {held_back} further item(s) of validation and test scenarios are left out altogether, "
            "so that no scenario is shared."
        )
    return parts


def _require_both_conditions(benchmark: str, parts: _Parts, by: str) -> None:
    for name in SPLITS:
        counts = Counter(item.condition for item in parts[name])
        for condition in CONDITIONS:
            if not counts[condition]:
                way_out = "split.by: item, or " if by == "scenario" else ""
                raise DataError(
                    f"{benchmark}: {name} would not have any {condition} item ({counts.total()} items in all, split by "
                    f"{by}). Use {way_out}other suite.sizes, or add {condition} items."
                )


def _folds(pool: Sequence[RawItem], split: Split, seed: int) -> dict[str, int]:
    """Stratified folds over train and test (appendix A.3, Table 7); whole scenarios where the split is by scenario."""
    folds: dict[str, int] = {}
    load = [0] * split.folds
    for benchmark, items in sorted(_by_benchmark(pool).items()):
        strata = {condition: _drawn(items[condition], seed, "folds", benchmark, condition) for condition in CONDITIONS}
        if split.by == "scenario":
            groups = scenarios(strata, seed_for(seed, "folds", benchmark, "scenario"))
            assigned = fold_of_scenarios(groups, split.folds, load)
            folds.update((item_id(item), fold) for item, fold in assigned.items())
            continue
        for condition in CONDITIONS:
            # Going on where the last stratum stopped keeps the folds' sizes within one of each other.
            for item in strata[condition]:
                folds[item_id(item)] = len(folds) % split.folds
    held = {(folds[item_id(item)], item.condition) for item in pool}
    if len(held) < split.folds * len(CONDITIONS):
        raise DataError(
            f"split.folds is {split.folds}, but {len(pool)} items of train and test (split by {split.by}) do not give "
            "each fold both conditions. Lower split.folds in params.yaml or raise suite.sizes in the profile."
        )
    return dict(sorted(folds.items()))
