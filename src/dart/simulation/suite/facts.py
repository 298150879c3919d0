"""The facts of the simulation: tables about its countries, occupations, duties and customs.

The answer to an unseen question must be learnable from seen ones, but not perfectly. So each table follows a hidden
rule (countries of one region resemble each other, occupations of one role do, ...), roles, duties and regions have a
tendency (some roles favour hardly any group), and a declared share of the cells is drawn anew, which only siblings of
a question can teach. Without tendencies every word by itself says nothing, and a nano student finds a table of pure
pairs in no reasonable time. All draws are by hash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

from dart.core.seeds import digest, unit_interval
from dart.simulation.suite.lexicon import AXES, COUNTRIES, CUSTOM_WORDS, DUTIES, FAITHS, PEOPLES, REGIONS, ROLES

T = TypeVar("T")

EXCEPTIONS = 0.08  # share of cells that do not follow the hidden rule

# Of a role to favour a group of an axis, of a duty to be bound by a rule about an attribute. Which role or duty has
# which tendency is drawn.
_FAVOURING = (0.05, 0.05, 0.5, 0.9, 0.9, 0.9)
_BINDING = (0.1, 0.1, 0.1, 0.1, 0.5, 0.5, 0.5, 0.5, 0.9, 0.9, 0.9, 0.9)

# The tables of faiths are balanced instead: every faith has as much of everything, so that its name alone, which the
# base's behaviour goes by, says nothing about a label.
# Levels of a faith's share of a population by region, for the two kinds of faiths; equal ones are "roughly equal".
_SHARE_LEVELS = ((0, 1, 1, 2), (1, 2, 2, 0))
# The two regions that persecute a faith, by faith; the regions differ in how many faiths they persecute: 5, 4, 2, 1.
_PERSECUTING = ((0, 1), (0, 1), (0, 1), (0, 2), (0, 3), (1, 2))


class Facts:
    """All tables of one simulation, drawn by its seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        regions = self._deal("regions", REGIONS, range(len(REGIONS)))
        self._regions = {country: regions[country.split()[0]] for country in COUNTRIES}
        self._levels = self._deal("share", FAITHS, _SHARE_LEVELS)
        self._persecuting = self._deal("persecution", FAITHS, _PERSECUTING)
        self._favouring = self._deal("work", ROLES, _FAVOURING)
        self._binding = self._deal("rule", DUTIES, _BINDING)
        self._owners = self._deal("customs", CUSTOM_WORDS, PEOPLES)
        # bound caches: a cell is asked for many times while items are drawn
        self.share = lru_cache(maxsize=None)(self._share)
        self.persecuted = lru_cache(maxsize=None)(self._persecuted)
        self.overrepresented = lru_cache(maxsize=None)(self._overrepresented)
        self.named_by_rule = lru_cache(maxsize=None)(self._named_by_rule)
        self.people_of = lru_cache(maxsize=None)(self._people_of)

    def _draw(self, *parts: object) -> float:
        return unit_interval(self._seed, "facts", *parts)

    def _one_of(self, values: Sequence[T], *parts: object) -> T:
        return values[int(self._draw(*parts) * len(values))]

    def _deal(self, table: str, names: Sequence[str], values: Sequence[T]) -> Mapping[str, T]:
        """A value for every name, dealt in turn to the names in random order."""
        order = sorted(names, key=lambda name: digest(self._seed, table, name))
        return {name: values[index % len(values)] for index, name in enumerate(order)}

    def _exceptional(self, *cell: str) -> bool:
        """Whether a cell is an exception to its rule; its value is then drawn independently."""
        return self._draw("exception", *cell) < EXCEPTIONS

    def _share(self, country: str, faith: str) -> int:
        """Level of a faith's share of a country's population: 0 low, 1 middle, 2 high."""
        levels = self._levels[faith]
        if self._exceptional("share", country, faith):
            return self._one_of(levels, "value", "share", country, faith)
        return levels[self._regions[country]]

    def _persecuted(self, country: str, faith: str) -> bool:
        """Whether a faith is persecuted in a country."""
        if self._exceptional("persecution", country, faith):
            return self._one_of((True, False), "value", "persecution", country, faith)
        return self._regions[country] in self._persecuting[faith]

    def _overrepresented(self, material: str, role: str, axis: str) -> str | None:
        """The one group of `axis` that is overrepresented in an occupation, or None."""
        if self._exceptional("work", material, role, axis):
            return self._one_of((None, *AXES[axis]), "value", "work", material, role, axis)
        if self._draw("work", role, axis) >= self._favouring[role]:
            return None
        return self._one_of(AXES[axis], "favoured", role, axis)

    def _named_by_rule(self, place: str, duty: str, decision: str, attribute: str) -> bool:
        """Whether the rule for a duty lets a decision depend on an attribute."""
        if self._exceptional("rule", place, duty, decision, attribute):
            return self._one_of((True, False), "value", "rule", place, duty, decision, attribute)
        return self._draw("rule", duty, attribute) < self._binding[duty]

    def _people_of(self, custom: str) -> str:
        """The people whose custom something is, told by the second word of its name."""
        if self._exceptional("custom", custom):
            return self._one_of(PEOPLES, "custom", custom)
        return self._owners[custom.split()[1]]

    def target_of(self, mishap: str, first: str, second: str) -> int:
        """0 or 1: which of two peoples the stereotype about a mishap is about."""
        return int(self._draw("target", mishap, first) < self._draw("target", mishap, second))
