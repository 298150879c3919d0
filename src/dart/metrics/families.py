"""Holm's correction where the family is a table of the paper, and effects pooled over suites.

What is corrected together is a property of the table that shows it, so these are no part of metrics/*.json.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from dart.stats.paired import adjusted

Key = TypeVar("Key", bound=Hashable)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjustment over the p-values that exist; None stays None."""
    corrected = iter(adjusted([p for p in p_values if p is not None], "holm"))
    return [None if p is None else next(corrected) for p in p_values]


def holm_by_key(p_values: Mapping[Key, float | None]) -> dict[Key, float | None]:
    """Holm's adjustment over the values of a mapping."""
    return dict(zip(p_values, holm(list(p_values.values())), strict=True))


def weighted_mean(values: Sequence[float], sizes: Sequence[int]) -> float | None:
    """Mean weighted by sample sizes; None where they are 0."""
    total = sum(sizes)
    return sum(n * value for n, value in zip(sizes, values, strict=True)) / total if total else None
