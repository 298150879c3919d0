"""Base against repaired: golden numbers from scipy, abstentions kept, and slices of zero, one and all items."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats as scipy_stats

from dart.core.errors import DataError
from dart.external.analysis import Pairs, analyse, comparison, decisive_n, paired, slice_of
from dart.external.items import Answer, ExternalItem
from dart.stats.paired import wilcoxon

MakeAnswer = Callable[..., Answer]
MakeItem = Callable[..., ExternalItem]


def pairs(an_item: MakeItem, an_answer: MakeAnswer, n: int, groups: Callable[[int], tuple[str, ...]]) -> Pairs:
    items = [an_item(number, *groups(number)) for number in range(n)]
    base = [
        an_answer(item.id, "base", 0.2 + 0.01 * i, 0.1, None if i % 4 == 0 else "YES") for i, item in enumerate(items)
    ]
    repaired = [an_answer(item.id, "repaired", 0.1 + 0.02 * i, 0.6) for i, item in enumerate(items)]
    return paired(items, base, repaired[::-1], "hatecheck/small")


def test_both_rank_tests_are_those_of_scipy() -> None:
    rng = np.random.default_rng(1)
    base, repaired = (list(rng.beta(1, size, 60)) for size in (9, 14))
    found = comparison(base, repaired, 0.95)
    unpaired = scipy_stats.mannwhitneyu(repaired, base, alternative="two-sided")
    assert found["mann_whitney"]["p"] == pytest.approx(unpaired.pvalue, rel=1e-5)
    assert found["mann_whitney"]["rank_biserial"] == pytest.approx(2 * unpaired.statistic / 3600 - 1, abs=1e-6)
    assert found["wilcoxon"]["p"] == pytest.approx(scipy_stats.wilcoxon(repaired, base).pvalue, rel=1e-5)
    assert found["median_base_x1e5"] == pytest.approx(np.median(base) * 1e5, abs=0.01)
    assert found["median_change"] == pytest.approx(np.median(repaired) / np.median(base) - 1, abs=1e-6)
    low, high = found["shift_x1e5"]["ci"]
    assert low < found["shift_x1e5"]["estimate"] < high < 1e5


def test_lower_scores_of_the_repaired_student_are_negative() -> None:
    found = comparison([0.5, 0.6, 0.7], [0.1, 0.2, 0.3], 0.95)
    assert found["mann_whitney"]["rank_biserial"] == found["wilcoxon"]["rank_biserial"] == -1
    assert (found["flagged_base"]["estimate"], found["flagged_repaired"]["estimate"]) == (1, 0)


@pytest.mark.parametrize(("n", "bounded"), [(1, False), (5, False), (6, True)])
def test_no_interval_is_claimed_that_cannot_be_had(n: int, bounded: bool) -> None:
    shift = comparison([0.0] * n, [0.1 * (i + 1) for i in range(n)], 0.95)["shift_x1e5"]
    assert (shift["ci"] is not None) == bounded


@pytest.mark.parametrize("n", [0, 1, 8])
def test_slices_of_zero_one_and_all_items(an_item: MakeItem, an_answer: MakeAnswer, n: int) -> None:
    every = pairs(an_item, an_answer, 8, lambda number: ("Velans",) if number < n else ("Torians",))
    found = analyse(every, 0.95, groups=("Velans",))
    part = found["slices"]["Velans"]
    assert part["n"] == part["toxicity"]["n"] == part["hate"]["n"] == n
    assert (part["toxicity"]["mann_whitney"] is None) == (n == 0)
    assert (part["abstention"]["base"]["estimate"] is None) == (n == 0)
    assert found["overall"]["n"] == 8
    if n == 8:
        assert part == found["overall"]


def test_two_groups_or_none_are_in_no_slice_and_named(an_item: MakeItem, an_answer: MakeAnswer) -> None:
    groups: dict[int, tuple[str, ...]] = {0: (), 1: ("gender", "race"), 2: ("gender", "race"), 3: ("race",)}
    found = analyse(pairs(an_item, an_answer, 5, lambda number: groups.get(number, ("gender",))), 0.95)
    assert found["outside_slices"] == {"gender + race": 2, "none": 1}
    assert {name: part["n"] for name, part in found["slices"].items()} == {"gender": 1, "race": 1}
    assert found["overall"]["n"] == 5


def test_abstention_is_an_answer_without_a_conclusion_and_is_still_scored(
    an_item: MakeItem, an_answer: MakeAnswer
) -> None:
    found = slice_of(pairs(an_item, an_answer, 20, lambda number: ()), 0.95)
    assert found["abstention"]["base"]["count"] == 5
    assert found["abstention"]["repaired"]["count"] == 0
    assert found["abstention"]["p"] == pytest.approx(2 / 2**5, abs=1e-6)
    assert found["toxicity"]["n"] == 20


def test_answers_are_paired_by_item_and_strangers_are_refused(an_item: MakeItem, an_answer: MakeAnswer) -> None:
    every = pairs(an_item, an_answer, 6, lambda number: ())
    assert [answer.item_id for answer in every.repaired] == [item.id for item in every.items]
    with pytest.raises(DataError, match="hatecheck/small, repaired: 5 records do not pair"):
        paired(every.items, every.base, every.repaired[1:], "hatecheck/small")


@pytest.mark.parametrize("tests", [1, 5, 7, 10])
def test_decisive_n_is_the_least_that_can_be_significant(tests: int) -> None:
    n = decisive_n(tests)
    rising = [0.0] * n, [float(i + 1) for i in range(n)]
    assert tests * wilcoxon(*rising).p <= 0.05
    assert tests * wilcoxon(rising[0][1:], rising[1][1:]).p > 0.05
