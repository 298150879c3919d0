"""Quantiles of many rows at once are numpy's, to the bit for medians."""

from __future__ import annotations

import numpy as np
import pytest

from dart.stats.quantiles import medians, quantiles


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 20, 21, 799, 800])
def test_medians_and_quantiles_are_numpys(n: int) -> None:
    rng = np.random.default_rng(n)
    for values in (rng.lognormal(size=(50, n)), rng.integers(0, 5, size=(50, n)).astype(float)):
        assert np.array_equal(medians(values), np.median(values, axis=-1))
        assert np.array_equal(medians(values[0]), np.median(values[0]))
        for q in (0.0, 0.05, 0.5, 0.95, 1.0):
            assert quantiles(values, q) == pytest.approx(np.quantile(values, q, axis=-1), rel=1e-13)


def test_the_values_stay_as_they_are() -> None:
    values = np.random.default_rng(1).normal(size=(5, 30))
    before = values.copy()
    medians(values)
    quantiles(values, 0.95)
    assert np.array_equal(values, before)
