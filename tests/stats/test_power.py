"""Power of McNemar's test against enumeration and the normal formula, of paired trainings against statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.power import TTestPower

from dart.core.errors import DataError
from dart.stats.paired import mcnemar
from dart.stats.power import PairedVariance, detectable_difference, mcnemar_power, paired_variance, trainings_needed


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


def test_trainings_needed_agree_with_statsmodels() -> None:
    for difference, seeds_sd, items_sd, items in (
        (0.05, 0.04, 0.4, 800),
        (0.06, 0.1, 0.3, 200),
        (0.05, 0.03, 0.3, 800),
    ):
        variance = PairedVariance(seeds_sd, items_sd)
        effect = difference / (seeds_sd**2 + items_sd**2 / items) ** 0.5
        for power in (0.8, 0.9):
            needed = trainings_needed(difference, variance, items, power)
            assert needed is not None
            reference = TTestPower()
            assert reference.power(effect, needed, 0.05) >= power
            assert needed == 2 or reference.power(effect, needed - 1, 0.05) < power


def test_more_items_help_until_the_seeds_are_all_that_is_left() -> None:
    counts = [trainings_needed(0.06, PairedVariance(0.05, 0.5), items) for items in (100, 1_000, 10_000, 100_000)]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == counts[-2] > 2
    certain = [trainings_needed(0.08, PairedVariance(0.004, 0.45), items) for items in (200, 800, 3200)]
    assert certain == sorted(certain, reverse=True)
    assert certain[-1] == 2 or certain[-1] == 3
    assert trainings_needed(0.001, PairedVariance(0.5, 0.5), 100) is None


def test_variance_is_told_apart_by_moments() -> None:
    draw = np.random.default_rng(1)
    shifts = draw.normal(0, 0.1, size=400)
    table = [draw.choice([-1, 0, 1], p=[0.2 - s / 2, 0.6, 0.2 + s / 2], size=600) for s in np.clip(shifts, -0.3, 0.3)]
    variance = paired_variance([row.tolist() for row in table])
    assert variance.seeds == pytest.approx(0.1, rel=0.1)
    assert variance.items == pytest.approx(0.63, rel=0.03)
    with pytest.raises(DataError, match="two trainings"):
        paired_variance([[0, 1]])
