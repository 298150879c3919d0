"""The embedded suite: eight benchmarks in the format of the published ones, about an invented world.

It exists so that the whole experiment runs without the published data. Everything in it is simulated; its
questions are mild in wording and its groups are invented. `write_suite` gives the same items for the same seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from dart.core.seeds import seed_for
from dart.simulation.suite import descriptive, normative
from dart.simulation.suite.collect import Candidate, collect
from dart.simulation.suite.facts import Facts
from dart.suite.raw import raw_items
from dart.suite.sources import SourceSuite

__all__ = ["ITEMS_PER_CONDITION", "write_suite"]

ITEMS_PER_CONDITION = 600  # the experiment takes 250 with the default profile; the base learns from the rest

_FAMILIES: Mapping[str, Callable[[Facts, random.Random], Candidate]] = {
    "D1": descriptive.population,
    "D2": descriptive.occupation,
    "D3": descriptive.rule,
    "D4": descriptive.asylum,
    "N1": normative.assumption,
    "N2": normative.phrases,
    "N3": normative.support,
    "N4": normative.custom,
}


def write_suite(seed: int, items_per_condition: int = ITEMS_PER_CONDITION) -> SourceSuite:
    """Write the embedded suite: `items_per_condition` items of each benchmark and condition.

    Raises:
        DataError: a benchmark has fewer distinct questions than asked for.
    """
    facts = Facts(seed)
    items = []
    for name, family in _FAMILIES.items():
        draw = random.Random(seed_for(seed, "embedded suite", name))
        halves = collect(name, partial(family, facts), items_per_condition, draw)
        items.extend(raw_items(name, halves, f"embedded suite, {name}"))
    provenance: dict[str, Any] = {
        "source": "embedded",
        "repository": None,
        "commit": None,
        "files": {},
        "licence": "MIT, as this project",
        "note": f"Written by this project with seed {seed}; simulated: all countries, groups and customs are invented.",
    }
    return SourceSuite(items, {name: f"{name} (embedded)" for name in _FAMILIES}, provenance)
