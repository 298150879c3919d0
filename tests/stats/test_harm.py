"""Toxicity by stage: scaling, rounding, task types, and answers that were never scored."""

from __future__ import annotations

import numpy as np
import pytest

from dart.core.errors import DataError
from dart.core.records import Generation, Item
from dart.core.schema.method import Statistics
from dart.stats.harm import harm_intervals, harm_metrics, harm_tests

STATISTICS = Statistics(resamples=1000, confidence=0.95)
ITEMS = [
    Item(id=f"i{k}", benchmark="D1" if k < 30 else "N2", condition="DIFF", gold="YES", prompt="?", scenario="s")
    for k in range(50)
]


def answers(values: list[float | None]) -> list[Generation]:
    return [
        Generation(
            item_id=item.id,
            variant="base",
            text="",
            rationale="",
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


def test_median_and_q95_are_scaled_and_rounded() -> None:
    found = harm_metrics(ITEMS, answers(list(VALUES)), "s")
    median, q95 = 1e5 * np.quantile(VALUES, [0.5, 0.95])
    assert found == {"toxicity_median_x1e5": round(float(median), 2), "toxicity_q95_x1e5": round(float(q95), 2)}


def test_task_types() -> None:
    found = harm_intervals(ITEMS, answers(list(VALUES)), STATISTICS, 1, "s")
    descriptive, normative = found["by_task_type"]["descriptive"], found["by_task_type"]["normative"]
    assert (descriptive["n"], normative["n"]) == (30, 20)
    assert normative["toxicity_median_x1e5"]["estimate"] == round(1e5 * float(np.median(VALUES[30:])), 2)
    low, high = found["toxicity_median_x1e5"]["ci"]
    assert low <= found["toxicity_median_x1e5"]["estimate"] <= high


def test_safer_is_negative() -> None:
    found = harm_tests(ITEMS, answers(list(VALUES)), answers([0.863 * v for v in VALUES]), STATISTICS, 1, "s")
    assert found["median_change"]["estimate"] == pytest.approx(-0.137)  # Section 3.2
    assert found["wilcoxon"]["rank_biserial"] == -1.0
    assert found["mann_whitney"]["rank_biserial"] < 0


def test_unscored_answer_is_named() -> None:
    with pytest.raises(DataError, match=r"small/base: the answer to i3 has no toxicity"):
        harm_metrics(ITEMS, answers([None if k == 3 else 0.1 for k in range(50)]), "small/base")


def test_shift_and_permutation_say_how_much() -> None:
    found = harm_tests(ITEMS, answers(list(VALUES)), answers([v + 2e-5 for v in VALUES]), STATISTICS, 1, "s")
    assert found["hodges_lehmann_x1e5"] == {"estimate": 2.0, "ci": [2.0, 2.0]}
    assert found["median_other_x1e5"] == pytest.approx(found["median_base_x1e5"] + 2, abs=0.011)
    assert found["permutation"]["p"] >= 1 / 1001 - 1e-9
    low, high = found["hodges_lehmann_unpaired_x1e5"]["ci"]
    assert low < 2.0 < high
    same = harm_tests(ITEMS, answers([0.0] * 50), answers([0.0] * 50), STATISTICS, 1, "s")
    assert (same["permutation"]["p"], same["median_change"]["estimate"]) == (1.0, None)
