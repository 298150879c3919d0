"""Power of McNemar's test against enumeration and against the normal formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from dart.core.errors import DataError
from dart.stats.paired import mcnemar
from dart.stats.power import detectable_difference, mcnemar_power


@pytest.mark.parametrize(("discordance", "difference"), [(0.3, 0.2), (0.5, 0.1), (0.6, 0.6), (1.0, 0.4)])
def test_power_by_enumerating_every_table(discordance: float, difference: float) -> None:
    n, alpha = 20, 0.05
    p_b, p_c = (discordance - difference) / 2, (discordance + difference) / 2
    expected = sum(
        scipy_stats.multinomial.pmf([b, c, n - b - c], n, [p_b, p_c, 1 - discordance])
        for b in range(n + 1)
        for c in range(n + 1 - b)
        if mcnemar(b, c).p_exact <= alpha
    )
    assert mcnemar_power(n, discordance, difference, alpha) == pytest.approx(expected, rel=1e-9)
    assert mcnemar_power(n, discordance, -difference, alpha) == pytest.approx(expected, rel=1e-9)


def test_large_samples_follow_connor_s_formula() -> None:
    """Connor 1987: power = Phi((|d| sqrt(n) - z sqrt(psi)) / sqrt(psi - d^2)); the exact test has a little less."""
    n, psi, d = 20_000, 0.3, 0.012
    connor = scipy_stats.norm.cdf(
        (d * math.sqrt(n) - scipy_stats.norm.isf(0.025) * math.sqrt(psi)) / math.sqrt(psi - d * d)
    )
    assert mcnemar_power(n, psi, d) == pytest.approx(connor, abs=0.01)


def test_detectable_difference_has_the_power_it_names() -> None:
    for n, psi in [(200, 0.3), (1624, 0.4), (60, 0.9)]:
        found = detectable_difference(n, psi)
        assert mcnemar_power(n, psi, found) == pytest.approx(0.8, abs=1e-6)
    assert detectable_difference(200, 0.3) == pytest.approx(0.111, abs=0.001)
    assert detectable_difference(1624, 0.3) < detectable_difference(200, 0.3)


def test_what_can_never_be_found() -> None:
    assert detectable_difference(5, 0.5) is None  # at least six discordant pairs are needed for p < .05
    assert detectable_difference(1624, 0.0) is None
    assert mcnemar_power(100, 0.0, 0.0) == 0.0
    assert mcnemar_power(5, 1.0, 1.0) == 0.0
    assert mcnemar_power(6, 1.0, 1.0) == 1.0
    with pytest.raises(DataError, match=r"difference=0\.4"):
        mcnemar_power(100, 0.3, 0.4)
    with pytest.raises(DataError, match=r"power < 1, got 1\.0"):
        detectable_difference(100, 0.3, power=1.0)


def test_the_level_is_kept() -> None:
    assert all(mcnemar_power(n, 0.4, 0.0) <= 0.05 for n in np.arange(1, 400, 7))
