"""The suite's card: its items, their origin, and the overlap of the splits.

Table 6 is read from it, and so is the number of scenarios that an item split leaks. Appendix A.1.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import combinations
from typing import Any

from dart.core.records import Item
from dart.suite.raw import CONDITIONS
from dart.suite.sources import SourceSuite
from dart.suite.split import Suite

# README of the suite's repository. The paper trains on it regardless, and in Stage III on test items.
STATEMENT = "Our benchmark suite is intended to be used for evaluation, not training."

_PARTS = ("train", "validation", "test", "outside")


def suite_card(source: SourceSuite, suite: Suite) -> dict[str, Any]:
    """Describe `suite` as made from `source`; every value is JSON-able and free of the suite's texts.

    Keys: `names`, `provenance`, `authors_statement`, `notes`, `counts` (benchmark -> condition -> part, with `source`
    for all items of the source and `unused` for those in no part), `totals`, `folds` (sizes), `shared_scenarios`
    (benchmark -> pair of parts -> scenarios in both) and `test_items_with_siblings` (benchmark -> part -> test items
    of which that part holds a sibling).
    """
    parts = {name: list[Item](getattr(suite, name)) for name in _PARTS}
    benchmarks = sorted({item.benchmark for item in source.items})
    available = Counter((item.benchmark, item.condition) for item in source.items)
    held = {name: Counter((item.benchmark, item.condition) for item in items) for name, items in parts.items()}
    scenarios = {name: _scenarios(items) for name, items in parts.items()}
    sizes = Counter(suite.folds.values())
    return {
        "names": {benchmark: source.names.get(benchmark, benchmark) for benchmark in benchmarks},
        "provenance": source.provenance,
        "authors_statement": STATEMENT,
        "notes": list(suite.notes),
        "counts": {
            benchmark: {
                condition: _counts(available[benchmark, condition], {n: held[n][benchmark, condition] for n in _PARTS})
                for condition in CONDITIONS
            }
            for benchmark in benchmarks
        },
        "totals": _counts(len(source.items), {name: len(items) for name, items in parts.items()}),
        "folds": [sizes[fold] for fold in sorted(sizes)],
        "shared_scenarios": {
            benchmark: {
                f"{one}+{other}": len(scenarios[one][benchmark] & scenarios[other][benchmark])
                for one, other in combinations(_PARTS, 2)
            }
            for benchmark in benchmarks
        },
        "test_items_with_siblings": {
            benchmark: {
                name: sum(
                    item.benchmark == benchmark and item.scenario in scenarios[name][benchmark] for item in suite.test
                )
                for name in ("train", "validation", "outside")
            }
            for benchmark in benchmarks
        },
    }


def _counts(available: int, held: dict[str, int]) -> dict[str, int]:
    return {**held, "source": available, "unused": available - sum(held.values())}


def _scenarios(items: Iterable[Item]) -> defaultdict[str, set[str]]:
    by_benchmark: defaultdict[str, set[str]] = defaultdict(set)
    for item in items:
        by_benchmark[item.benchmark].add(item.scenario)
    return by_benchmark
