"""Drift rates with an honest denominator: special cases that must be Wilson's, formulas, published values, bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from dart.core.errors import DataError
from dart.stats.prevalence import (
    Judge,
    LabelledStratum,
    Stratum,
    draw,
    inverse_probability_rate,
    prediction_powered_rate,
    rate_difference,
    rogan_gladen,
    screened_rate,
    screened_share_rate,
    stratified_rate,
)

Z = 1.959963984540054


def wilson(cases: int, n: int) -> tuple[float, float]:
    low, high = proportion_confint(cases, n, method="wilson")
    return float(low), float(high)


@pytest.mark.parametrize(("cases", "n"), [(0, 10), (435, 1624), (7, 7), (1, 1)])
def test_judging_every_pair_is_a_plain_share(cases: int, n: int) -> None:
    said = [True] * cases + [False] * (n - cases)
    for found in (
        stratified_rate([Stratum(n, n, cases)]),
        inverse_probability_rate(said, [1.0] * n),
        inverse_probability_rate(said, [1.0] * n, population=n),
    ):
        assert found.estimate == pytest.approx(cases / n)
        assert (found.low, found.high) == pytest.approx(wilson(cases, n), abs=1e-12)


def test_the_paper_s_435_with_unscreened_pairs_looked_at() -> None:
    """If 4 of 200 unscreened pairs drift too, 435 of 1,624 is not 26.8 % but 28.1 %."""
    found = screened_rate(Stratum(560, 560, 435), Stratum(1064, 200, 4))
    assert found.estimate == pytest.approx((435 + 1064 * 4 / 200) / 1624)
    assert found.low < 435 / 1624 < found.estimate < found.high
    these = screened_rate(Stratum(560, 560, 435), Stratum(1064, 200, 4), finite=True)
    assert these.low > 435 / 1624  # what was found is there
    assert found.low < these.low < these.high < found.high


def test_horvitz_thompson_and_hajek_by_their_formulas() -> None:
    rng = np.random.default_rng(1)
    chance = np.where(rng.random(300) < 0.5, 1.0, 0.25)
    y = rng.random(300) < 0.4
    total = float((y / chance).sum())
    assert inverse_probability_rate(y, chance, population=700).estimate == pytest.approx(total / 700, rel=1e-10)
    hajek = inverse_probability_rate(y, chance)
    assert hajek.estimate == pytest.approx(total / float((1 / chance).sum()), rel=1e-10)
    # MOVER keeps the linearised variance: with a moderate rate the interval is near the normal one
    residual = (y - hajek.estimate) / chance
    error = math.sqrt(float((residual**2).sum())) / float((1 / chance).sum())
    assert hajek.high - hajek.low == pytest.approx(2 * Z * error, rel=0.02)


def test_no_case_among_the_sampled_still_leaves_room() -> None:
    found = stratified_rate([Stratum(100, 100, 40), Stratum(900, 50, 0)])
    assert found.estimate == pytest.approx(0.04)
    assert found.high > 0.09  # up to 7 % of 900 unscreened pairs may drift


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=4))
def test_intervals_hold_their_estimate(parts: list[tuple[int, int, int]]) -> None:
    strata = [Stratum(cases + safe + rest, cases + safe, cases) for cases, safe, rest in parts if cases + safe]
    if not strata:
        return
    for finite in (False, True):
        low, high = (stratified_rate(strata, finite=finite)[k] for k in (1, 2))
        assert 0 <= low <= stratified_rate(strata, finite=finite).estimate + 1e-12
        assert stratified_rate(strata, finite=finite).estimate - 1e-12 <= high <= 1
    every = [stratum._replace(population=stratum.sampled) for stratum in strata]
    exact = stratified_rate(every, finite=True)
    assert exact.low == pytest.approx(exact.estimate, abs=1e-9) == exact.high


@pytest.mark.parametrize(
    "counts", [(23, 150, 96, 100, 89, 100), (6, 151, 80, 83, 920, 993), (435, 1624, 82, 102, 83, 98)]
)
def test_rogan_gladen_and_lang_reiczigel_by_their_formulas(counts: tuple[int, int, int, int, int, int]) -> None:
    """With one added success and failure: Lang & Reiczigel 2014, as R's asht::prevSeSp computes it."""
    x, n, k1, n1, k2, n2 = counts
    q, se, sp = x / n, k1 / n1, k2 / n2
    expected = min(1.0, max(0.0, (q + sp - 1) / (se + sp - 1)))
    qa, sea, spa = (x + Z**2 / 2) / (n + Z**2), (k1 + 1) / (n1 + 2), (k2 + 1) / (n2 + 2)
    p = (qa + spa - 1) / (sea + spa - 1)
    shifted = p + 2 * Z**2 * (p * sea * (1 - sea) / (n1 + 2) - (1 - p) * spa * (1 - spa) / (n2 + 2))
    error = math.sqrt(
        qa * (1 - qa) / (n + Z**2) + p**2 * sea * (1 - sea) / (n1 + 2) + (1 - p) ** 2 * spa * (1 - spa) / (n2 + 2)
    ) / (sea + spa - 1)
    found = rogan_gladen(*counts, added=1)
    assert found.estimate == pytest.approx(expected, rel=1e-10)
    assert found.low == pytest.approx(max(0.0, shifted - Z * error), rel=1e-10)
    assert found.high == pytest.approx(min(1.0, shifted + Z * error), rel=1e-10)


def test_rogan_gladen_on_the_example_of_epir() -> None:
    """epi.prev(pos = 23, tested = 150, se = 0.96, sp = 0.89): 5.1 per 100 (0 to 13, both known)."""
    found = rogan_gladen(23, 150, 96, 100, 89, 100)
    assert round(100 * (found.estimate or 0), 1) == 5.1
    known = rogan_gladen(23, 150, 960_000, 1_000_000, 890_000, 1_000_000)
    assert (known.low, known.high) == pytest.approx((0.0, 0.13), abs=0.01)
    assert found.high > known.high  # what is not known of the test widens the interval


def test_rogan_gladen_at_its_edges() -> None:
    assert rogan_gladen(50, 100, 5, 10, 5, 10) == (None, 0.0, 1.0)  # a coin says nothing
    assert rogan_gladen(0, 100, 9, 10, 9, 10).estimate == 0.0  # fewer flagged than false alarms alone would give
    perfect = rogan_gladen(30, 100, 50_000, 50_000, 50_000, 50_000)
    assert perfect.estimate == pytest.approx(0.3)
    assert (perfect.low, perfect.high) == pytest.approx(wilson(30, 100), abs=0.01)
    counts = (435, 1624, 82, 102, 83, 98)
    apart, among = rogan_gladen(*counts), rogan_gladen(*counts, overlap=True)
    assert apart.estimate == among.estimate
    assert apart.low < among.low < among.high < apart.high
    with pytest.raises(DataError, match=r"'hits' needs .* got 3 of 2"):
        rogan_gladen(1, 10, 3, 2, 1, 2)
    with pytest.raises(DataError, match=r"'passes' .* got 0 of 0"):
        rogan_gladen(1, 10, 1, 2, 0, 0)


def _judged(seed: int, n: int = 600, labels: int = 150, quality: float = 0.9) -> LabelledStratum:
    rng = np.random.default_rng(seed)
    true = rng.random(n) < 0.3
    said = np.where(rng.random(n) < quality, true, ~true)
    return LabelledStratum(true[:labels].astype(float), said[:labels].astype(float), said[labels:].astype(float))


@pytest.mark.parametrize("seed", range(3))
def test_prediction_powered_mean_is_predictions_plus_rectifier(seed: int) -> None:
    """Angelopoulos et al. 2023: theta = mean f(rest) + mean(Y - f), variance of both parts."""
    y, f, rest = (np.asarray(part) for part in _judged(seed)[:3])
    found = prediction_powered_rate(LabelledStratum(y, f, rest), tuned=False)
    assert found.estimate == pytest.approx(rest.mean() + (y - f).mean(), rel=1e-10)
    error = math.sqrt((y - f).var() / y.size + rest.var() / rest.size)
    assert found.high - found.low == pytest.approx(2 * Z * error, rel=0.06)


@pytest.mark.parametrize("seed", range(3))
def test_tuning_never_does_worse_than_the_labels_alone(seed: int) -> None:
    good, useless = _judged(seed), _judged(seed, quality=0.5)
    for judged, narrower in ((good, 0.9), (useless, 1.03)):
        labels = wilson(int(np.sum(judged.labels)), len(judged.labels))
        found = prediction_powered_rate(judged)
        assert found.high - found.low < narrower * (labels[1] - labels[0])
    y, f, rest = (np.asarray(part) for part in good[:3])
    power = np.cov(y, f, ddof=0)[0, 1] / ((1 + y.size / rest.size) * np.concatenate([f, rest]).var())
    expected = y.mean() + power * (rest.mean() - f.mean())
    assert prediction_powered_rate(good).estimate == pytest.approx(expected, rel=1e-10)


def test_strata_are_weighted_by_their_pairs_and_not_by_their_labels() -> None:
    """Half the labels lie in a small stratum full of drift: the plain mean of the labels would be far off."""
    screened = LabelledStratum([1.0] * 40 + [0.0] * 10, [1.0] * 45 + [0.0] * 5, [1.0] * 40 + [0.0] * 10)
    other = LabelledStratum([0.0] * 50, [0.0] * 50, [0.0] * 850)
    found = prediction_powered_rate([screened, other])
    assert found.estimate == pytest.approx(0.1 * prediction_powered_rate(screened).estimate, rel=1e-9)
    assert 0 < found.low < found.estimate < found.high < 0.2


def test_a_perfect_judge_on_few_labels_is_not_taken_for_infallible() -> None:
    few = LabelledStratum([1.0] * 5 + [0.0] * 15, [1.0] * 5 + [0.0] * 15, [1.0] * 250 + [0.0] * 750)
    found = prediction_powered_rate(few)
    low, high = wilson(250, 1000)
    assert found.low < low
    assert found.high > high


def test_everything_labelled_leaves_the_labels() -> None:
    found = prediction_powered_rate(LabelledStratum([1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 0.0, 1.0], []))
    assert found.estimate == 0.5
    assert prediction_powered_rate(LabelledStratum([0.0] * 9, [0.0] * 9, [0.0] * 9)).estimate == 0.0


def test_the_sample_is_random_seeded_and_grows() -> None:
    ids = [f"i{k}" for k in range(400)]
    small, large = draw(ids, 50, 1), draw(ids, 100, 1)
    assert set(small) < set(large)
    assert small == [key for key in ids if key in small]
    assert draw(ids, 50, 2) != small
    assert sum(int(key[1:]) < 200 for key in large) == pytest.approx(50, abs=20)
    assert draw(ids, 400, 1) == ids
    with pytest.raises(DataError, match="5 of 2"):
        draw(["a", "b"], 5, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stratified_rate([Stratum(10, 0, 0)]), "stratum 0 has 10 pairs, 0 judged"),
        (lambda: stratified_rate([Stratum(10, 5, 6)]), "6 cases"),
        (lambda: stratified_rate([Stratum(0, 0, 0)]), "no pairs"),
        (lambda: inverse_probability_rate([], []), "got 0 and 0"),
        (lambda: inverse_probability_rate([True], [0.0]), r"\(0, 1\]"),
        (lambda: inverse_probability_rate([True, True], [1.0, 1.0], population=1), "only 1"),
        (lambda: prediction_powered_rate(LabelledStratum([1.0], [1.0], [1.0])), "stratum 0 has 1 labels"),
        (lambda: prediction_powered_rate([]), "no pairs"),
    ],
)
def test_what_cannot_be_estimated_is_said(call: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        call()  # type: ignore[operator]


def test_the_screened_share_varies_too() -> None:
    judge = Judge(80, 100, 85, 100)
    inside = rogan_gladen(180, 400, *judge, overlap=True)
    found = screened_share_rate(180, 400, 1600, judge)
    assert found.estimate == pytest.approx(0.25 * inside.estimate, rel=1e-12)
    assert found.low < 0.25 * inside.low < 0.25 * inside.high < found.high
    with pytest.raises(DataError, match="0 of 1600"):
        screened_share_rate(0, 0, 1600, judge)


def test_data_that_contradict_the_judge_leave_an_interval() -> None:
    found = rogan_gladen(5, 200, 8, 10, 50, 100)
    assert (found.estimate, found.low) == (0.0, 0.0)
    assert 0.05 < found.high < 0.6


def test_difference_of_two_audits_of_the_same_items() -> None:
    """40 of 200 confirmed before, 12 after; the judge confirms .9 of the cases and .1 of the rest."""
    table = np.array([[100, 10, 2], [8, 40, 0], [20, 10, 10]])
    first, second = table.sum(axis=1), table.sum(axis=0)
    expected = [(side[2] - 0.1 * (side[1] + side[2])) / 0.8 / 200 for side in (first, second)]
    found = rate_difference(table, Judge(90, 100, 90, 100))
    assert found.estimate == pytest.approx(expected[1] - expected[0], rel=1e-12)
    assert found.low < found.estimate < found.high < 0
    assert rate_difference(table, Judge(50, 100, 50, 100)) == (None, None, None)
    with pytest.raises(DataError, match="3 x 3"):
        rate_difference(table[:2], Judge(90, 100, 90, 100))
