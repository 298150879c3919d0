"""How much of a measure's variance lies between training seeds, scenarios and items, and in none of them alone.

A crossed table, every item answered by the student of every seed, with one observation per cell: the two-way
random-effects analysis of variance without replication (Searle, Casella and McCulloch, Variance Components, 1992,
chapter 4). The residual holds what a seed does to a single item, which one observation per cell cannot separate from
noise. Items of one scenario are near-duplicates: their part is taken out of the items' by the nested analysis of
variance with unequal numbers (the same, chapter 3). Not in the paper, whose intervals are over items alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dart.core.errors import DataError


class VarianceComponents(NamedTuple):
    """Variances in squared units of the measure; a negative estimate counts as 0."""

    seeds: float
    items: float  # within scenarios, where these are known
    residual: float
    n_seeds: int
    n_items: int
    scenarios: float | None = None
    effective_scenarios: float | None = None  # n^2 / sum of squared sizes: equal ones that give the mean's variance

    @property
    def standard_error(self) -> float:
        """Of the mean over seeds and items, both drawn from populations."""
        of_seeds, of_items = self.seeds / self.n_seeds, self.items / self.n_items
        of_scenarios = 0.0
        if self.scenarios is not None and self.effective_scenarios is not None:
            of_scenarios = self.scenarios / self.effective_scenarios
        return float(np.sqrt(of_seeds + of_scenarios + of_items + self.residual / (self.n_seeds * self.n_items)))

    def json(self) -> dict[str, Any]:
        """{seeds, scenarios, items, residual: {variance, share}, n_seeds, n_items, standard_error}.

        Shares are None if all are 0; `scenarios` is left out where they are not known.
        """
        parts = {"seeds": self.seeds, "items": self.items, "residual": self.residual}
        if self.scenarios is not None:
            parts["scenarios"] = self.scenarios
        total = sum(parts.values())
        return {
            **{
                name: {"variance": round(value, 6), "share": round(value / total, 4) if total > 0 else None}
                for name, value in parts.items()
            },
            "n_seeds": self.n_seeds,
            "n_items": self.n_items,
            "standard_error": round(self.standard_error, 6),
        }


def variance_components(table: npt.ArrayLike, scenarios: Sequence[Hashable] | None = None) -> VarianceComponents:
    """Components by the method of moments: mean squares set equal to their expectations.

    Args:
        table: seeds x items, e.g. 1.0 where the answer is right.
        scenarios: of each item; where all differ, or all are one, their part cannot be told from the items'.

    Raises:
        DataError: fewer than two seeds or items, or not one scenario per item.
    """
    values = np.asarray(table, dtype=np.float64)
    if values.ndim != 2 or min(values.shape) < 2:
        raise DataError(f"variance components need two seeds and two items at least, not a table {values.shape}.")
    n_seeds, n_items = values.shape
    mean = values.mean()
    of_seeds, of_items = values.mean(axis=1), values.mean(axis=0)
    residuals = values - of_seeds[:, None] - of_items[None, :] + mean
    ms_seeds = n_items * np.square(of_seeds - mean).sum() / (n_seeds - 1)
    ms_items = n_seeds * np.square(of_items - mean).sum() / (n_items - 1)
    ms_residual = np.square(residuals).sum() / ((n_seeds - 1) * (n_items - 1))
    components = VarianceComponents(
        seeds=max(0.0, float(ms_seeds - ms_residual) / n_items),
        items=max(0.0, float(ms_items - ms_residual) / n_seeds),
        residual=float(ms_residual),
        n_seeds=n_seeds,
        n_items=n_items,
    )
    return components if scenarios is None else _with_scenarios(components, of_items, scenarios)


def _with_scenarios(
    components: VarianceComponents, of_items: npt.NDArray[np.float64], scenarios: Sequence[Hashable]
) -> VarianceComponents:
    """The items' component divided between scenarios and items within them, from the items' means over seeds."""
    if len(scenarios) != of_items.size:
        raise DataError(f"variance components: {of_items.size} items, but {len(scenarios)} scenarios.")
    sizes = Counter(scenarios)
    if not 1 < len(sizes) < of_items.size:
        return components
    number = {scenario: index for index, scenario in enumerate(sizes)}
    groups = np.array([number[scenario] for scenario in scenarios])
    counts = np.bincount(groups).astype(np.float64)
    means = np.bincount(groups, weights=of_items) / counts
    n, n_groups = float(of_items.size), len(counts)
    within = float(np.square(of_items - means[groups]).sum()) / (n - n_groups)
    between = float((counts * np.square(means - of_items.mean())).sum()) / (n_groups - 1)
    size = (n - float(np.square(counts).sum()) / n) / (n_groups - 1)  # n0 of the expected mean squares
    return components._replace(
        scenarios=max(0.0, (between - within) / size),
        items=max(0.0, within - components.residual / components.n_seeds),
        effective_scenarios=n**2 / float(np.square(counts).sum()),
    )
