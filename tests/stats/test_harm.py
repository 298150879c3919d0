"""Toxicity by stage: scaling, rounding, task types, and answers that were never scored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from dart.core.errors import DataError
from dart.core.records import Generation, Item
from dart.core.schema.method import Statistics
from dart.stats.compare import rounded
from dart.stats.harm import (
    change,
    change_json,
    exact_harm_tests,
    harm_intervals,
    harm_metrics,
    harm_tests,
    level_interval,
)
from dart.stats.paired import paired_shares

STATISTICS = Statistics(resamples=1000, confidence=0.95)
ITEMS = [
    Item(id=f"i{k}", benchmark="D1" if k < 30 else "N2", condition="DIFF", gold="YES", prompt="?", scenario="s")
    for k in range(50)
]


def answers(values: list[float | None], rationale: str = "Because.") -> list[Generation]:
    return [
        Generation(
            item_id=item.id,
            variant="base",
            text="Because.",
            rationale=rationale,
            prediction=None,
            new_tokens=0,
            model="m",
            revision="r",
            prompt_hash="h",
            toxicity=value,
        )
        for item, value in zip(ITEMS, values, strict=True)
    ]


VALUES = [float(value) for value in np.random.default_rng(1).lognormal(-10, size=50)]


def test_levels_are_scaled_and_rounded() -> None:
    found = harm_metrics(ITEMS, answers(list(VALUES)), "s")
    median, q95 = 1e5 * np.quantile(VALUES, [0.5, 0.95])
    assert found == {
        "rationales": 50,
        "toxicity_mean_x1e5": round(1e5 * float(np.mean(VALUES)), 4),
        "toxicity_share_above": 0.0,
        "toxicity_q95_x1e5": round(float(q95), 2),
        "toxicity_median_x1e5": round(float(median), 2),
    }
    third = harm_metrics(ITEMS, answers([0.4 if k % 3 == 0 else 0.02 for k in range(50)]), "s")
    assert third["toxicity_share_above"] == round(17 / 50, 4)


def test_task_types() -> None:
    found = harm_intervals(ITEMS, answers(list(VALUES)), STATISTICS, 1, "s")
    descriptive, normative = found["by_task_type"]["descriptive"], found["by_task_type"]["normative"]
    assert (descriptive["n"], normative["n"]) == (30, 20)
    assert normative["toxicity_median_x1e5"]["estimate"] == round(1e5 * float(np.median(VALUES[30:])), 4)
    for name in ("toxicity_median_x1e5", "toxicity_mean_x1e5", "toxicity_q95_x1e5"):
        low, high = found[name]["ci"]
        assert low <= found[name]["estimate"] <= high
    assert found["toxicity_share_above"]["ci"][1] == pytest.approx(
        1.96**2 / (50 + 1.96**2), abs=1e-3
    )  # Wilson, 0 of 50


def test_a_third_of_the_rationales_turning_toxic_shows_while_the_median_falls() -> None:
    """H is bimodal: the median moves from 2,614 to 2,366 although the mean quadruples."""
    base = [0.02614 + 1e-5 * k for k in range(50)]
    other = [0.35 + 1e-5 * k if k % 3 == 0 else 0.0210 + 1e-5 * k for k in range(50)]
    found = harm_tests(ITEMS, answers(list(base)), answers(list(other)), STATISTICS, 1, "s")
    assert found["median_change"]["estimate"] < 0
    assert found["mean"]["difference_x1e5"]["ci"][0] > 0
    assert found["mean"]["other_x1e5"] > 4 * found["mean"]["base_x1e5"]
    assert found["mean"]["p"] < 0.01
    share = found["share_above"]
    assert (share["lost"], share["gained"], share["other"]["estimate"]) == (0, 17, 0.34)
    assert share["difference"]["ci"][0] > 0.2
    assert share["p"] == pytest.approx(2 / 2**17, rel=1e-5)
    assert found["q95"]["difference_x1e5"]["ci"][0] > 30_000
    assert (found["rise"]["rose_count"], found["rise"]["fell_count"]) == (17, 0)
    assert found["mann_whitney"]["rank_biserial"] < 0, "the paper's test calls this safer"


def test_change_agrees_with_its_parts() -> None:
    rng = np.random.default_rng(3)
    base, other = rng.beta(0.3, 2, size=(2, 200))
    found = change(base.tolist(), other.tolist(), tau=0.05)
    assert found.mean.estimate == pytest.approx(float((other - base).mean()), abs=1e-12)
    expected = scipy_stats.ttest_rel(other, base)
    assert found.p_mean == pytest.approx(expected.pvalue, rel=1e-10)
    assert (found.mean.low, found.mean.high) == pytest.approx(tuple(expected.confidence_interval()), rel=1e-10)
    assert found.above == paired_shares((base > 0.1).tolist(), (other > 0.1).tolist())
    assert found.rise == paired_shares((base - other > 0.05).tolist(), (other - base > 0.05).tolist())
    assert change([0.1, 0.1], [0.1, 0.1])[:2] == ((0.0, None, None), 1.0)
    assert change([0.25] * 4, [0.5] * 4)[:2] == ((0.25, None, None), 0.125)


def test_an_empty_rationale_is_no_rise() -> None:
    """Label-only training writes none; the classifier's score of an empty text is no harm."""
    base, empty = answers([0.001] * 50), answers([0.5] * 50, rationale="")
    found = harm_tests(ITEMS, base, empty, STATISTICS, 1, "s")
    assert (found["n"], found["without_rationale"]) == (0, 50)
    assert found["mean"] is found["share_above"] is found["rise"] is found["wilcoxon"] is None
    assert found["median_change"] == {"estimate": None, "ci": None}
    assert harm_metrics(ITEMS, empty, "s")["toxicity_mean_x1e5"] is None
    half = [*base[:25], *empty[25:]]
    assert harm_tests(ITEMS, base, half, STATISTICS, 1, "s")["mean"]["difference_x1e5"]["estimate"] == 0.0
    assert harm_metrics(ITEMS, half, "s")["rationales"] == 25


def test_a_tied_quantile_is_bounded_by_its_neighbours() -> None:
    tied = [1.0, *[2.0] * 98, 5.0]
    assert level_interval(tied, 0.5, STATISTICS, 1) == (2.0, 1.0, 5.0)
    assert level_interval([2.0] * 40, 0.5, STATISTICS, 1).json() == {"estimate": 2.0, "ci": None}
    assert level_interval(list(range(99)), 0.5, STATISTICS, 1).bounded


def test_safer_is_negative() -> None:
    found = harm_tests(ITEMS, answers(list(VALUES)), answers([0.863 * v for v in VALUES]), STATISTICS, 1, "s")
    assert found["median_change"]["estimate"] == pytest.approx(-0.137)  # Section 3.2
    assert found["wilcoxon"]["rank_biserial"] == -1.0
    assert found["mann_whitney"]["rank_biserial"] < 0


def test_unscored_answer_is_named() -> None:
    with pytest.raises(DataError, match=r"small/base: the answer to i3 has no toxicity"):
        harm_metrics(ITEMS, answers([None if k == 3 else 0.1 for k in range(50)]), "small/base")


def test_shift_and_permutation_say_how_much() -> None:
    sides: Any = (ITEMS, answers(list(VALUES)), answers([v + 2e-5 for v in VALUES]), STATISTICS, 1, "s")
    found, exact = harm_tests(*sides), exact_harm_tests(*sides)
    assert found == rounded(exact)
    assert found["hodges_lehmann_x1e5"] == {"estimate": 2.0, "ci": None}, "all pairs moved alike: no interval"
    assert exact["median_other_x1e5"] == pytest.approx(exact["median_base_x1e5"] + 2, abs=1e-9)
    assert found["permutation"]["p"] >= 1 / 1001 - 1e-9
    low, high = found["hodges_lehmann_unpaired_x1e5"]["ci"]
    assert low < 2.0 < high
    same = harm_tests(ITEMS, answers([0.0] * 50), answers([0.0] * 50), STATISTICS, 1, "s")
    assert (same["permutation"]["p"], same["median_change"]["estimate"], same["mean"]["p"]) == (1.0, None, 1.0)
    assert same["share_above"]["difference"]["ci"][1] > 0.05, "50 pairs without a toxic one do not exclude one"


def test_no_pairs_and_pairs_of_different_length() -> None:
    assert change_json([], []) == {"n": 0, "mean": None, "share_above": None, "rise": None}
    with pytest.raises(DataError, match="2 and 1"):
        change([0.1, 0.2], [0.1])
