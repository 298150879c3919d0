"""How much of a measure's variance lies between training seeds, between items, and in neither alone.

A crossed table, every item answered by the student of every seed, with one observation per cell: the two-way
random-effects analysis of variance without replication (Searle, Casella and McCulloch, Variance Components, 1992,
chapter 4). The residual holds what a seed does to a single item, which one observation per cell cannot separate from
noise. Not in the paper, whose intervals are over items alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dart.core.errors import DataError


class VarianceComponents(NamedTuple):
    """Variances in squared units of the measure; a negative estimate counts as 0."""

    seeds: float
    items: float
    residual: float
    n_seeds: int
    n_items: int

    @property
    def standard_error(self) -> float:
        """Of the mean over seeds and items, both drawn from populations."""
        of_seeds, of_items = self.seeds / self.n_seeds, self.items / self.n_items
        return float(np.sqrt(of_seeds + of_items + self.residual / (self.n_seeds * self.n_items)))

    def json(self) -> dict[str, Any]:
        """{seeds, items, residual: {variance, share}, n_seeds, n_items, standard_error}; shares None if all are 0."""
        total = self.seeds + self.items + self.residual
        parts = {"seeds": self.seeds, "items": self.items, "residual": self.residual}
        return {
            **{
                name: {"variance": round(value, 6), "share": round(value / total, 4) if total > 0 else None}
                for name, value in parts.items()
            },
            "n_seeds": self.n_seeds,
            "n_items": self.n_items,
            "standard_error": round(self.standard_error, 6),
        }


def variance_components(table: npt.ArrayLike) -> VarianceComponents:
    """Components by the method of moments: mean squares set equal to their expectations.

    Args:
        table: seeds x items, e.g. 1.0 where the answer is right.

    Raises:
        DataError: fewer than two seeds or items.
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
    return VarianceComponents(
        seeds=max(0.0, float(ms_seeds - ms_residual) / n_items),
        items=max(0.0, float(ms_items - ms_residual) / n_seeds),
        residual=float(ms_residual),
        n_seeds=n_seeds,
        n_items=n_items,
    )
