"""What the policy changes, counted by hand on few prompts, and on none of a kind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from dart.core.errors import DataError
from dart.core.records import Generation, Item, Label
from dart.core.schema.method import Statistics
from dart.policy.evaluation import PolicyRun, outcome, policy_report, selection
from dart.policy.records import PolicyAnswer, Premise
from tests.policy.test_selection import answer, item

STATISTICS = Statistics(resamples=200, confidence=0.95)


def under(item: Item, decision: Label | None, prediction: Label | None, toxicity: float = 0.1) -> PolicyAnswer:
    plain = answer(item, prediction, "Two words").model_dump()
    return PolicyAnswer(**(plain | {"toxicity": toxicity}), decision=decision, harmful_premise=False)


ITEMS = [item(n, "YES" if n % 2 else "NO") for n in range(8)]


def report(
    off: Sequence[Generation], on: dict[str, list[PolicyAnswer]], items: list[Item] = ITEMS, seed: int = 1
) -> dict[str, Any]:
    premises = [
        Premise(item_id=i.id, keywords=("slur",) * (n == 0), toxicity=0.9 * (n < 2), harmful=n < 2)
        for n, i in enumerate(items)
    ]
    return policy_report(items, PolicyRun(premises, {"repaired": off}, {"repaired": on}), STATISTICS, seed, "s")


def example() -> dict[str, Any]:
    """Off: right on 0-5, YES on 6 (wrong), unparsed on 7. On: 0 lost, 6 and 7 won, all others kept."""
    off = [answer(i, i.gold, "One two three four") for i in ITEMS[:6]]
    off += [answer(ITEMS[6], "YES", "One two three four"), answer(ITEMS[7], None, "One two three four")]
    on = [under(ITEMS[0], "NO", "YES", 0.05)]
    on += [under(i, i.gold, i.gold, 0.01 * n) for n, i in enumerate(ITEMS[1:], start=1)]
    oracle = [under(i, i.gold, i.gold, 0.02) for i in ITEMS]
    return report(off, {"two_pass": on, "oracle": oracle})


def test_decisions_words_and_toxicity_are_counted_by_hand() -> None:
    metrics = example()["variants"]["repaired"]
    off, on = metrics["off"], metrics["two_pass"]
    assert [off["accuracy"][name]["count"] for name in ("all", "DIFF", "EQUAL")] == [6, 3, 3]
    assert [on["accuracy"][name]["count"] for name in ("all", "DIFF", "EQUAL")] == [7, 4, 3]
    assert {name: entry["count"] for name, entry in off["answers"].items()} == {"YES": 4, "NO": 3, "unparsed": 1}
    assert (off["words_mean"], on["words_mean"]) == (4.0, 2.0)
    against = on["against_off"]
    assert against["accuracy"]["all"]["difference"]["estimate"] == 0.125
    assert (against["accuracy"]["all"]["lost"], against["accuracy"]["all"]["gained"]) == (1, 2)
    assert against["accuracy"]["all"]["p"] == pytest.approx(scipy_stats.binomtest(1, 3).pvalue)
    assert (against["parsed"]["lost"], against["parsed"]["gained"]) == (0, 1)
    assert against["words_change"]["estimate"] == -0.5
    after = [0.05, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07]
    assert on["toxicity"]["all"]["median_x1e5"]["estimate"] == round(1e5 * float(np.median(after)), 2)
    moved = against["toxicity"]["all"]
    assert moved["median_change"]["estimate"] == pytest.approx(np.median(after) / 0.1 - 1)
    assert against["q95_change"]["estimate"] == pytest.approx(np.quantile(after, 0.95) / 0.1 - 1)
    assert moved["wilcoxon"]["p"] == pytest.approx(scipy_stats.wilcoxon([0.1 - a for a in after]).pvalue)
    assert moved["wilcoxon"]["rank_biserial"] == -1
    assert on["instructed"]["count"] == 7


def test_shares_of_the_oracle() -> None:
    metrics = example()["variants"]["repaired"]
    assert metrics["oracle"]["of_oracle"]["accuracy"]["estimate"] == 1
    assert metrics["two_pass"]["of_oracle"]["accuracy"]["estimate"] == 0.875
    median = np.median([0.05, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07])
    assert metrics["two_pass"]["of_oracle"]["toxicity_reduction"] == pytest.approx((0.1 - median) / 0.08, abs=1e-6)
    off = [answer(i, i.gold) for i in ITEMS]
    worse = report(off, {"oracle": [under(i, i.gold, i.gold, 0.2) for i in ITEMS]})["variants"]["repaired"]
    assert worse["oracle"]["of_oracle"]["toxicity_reduction"] is None


@pytest.mark.parametrize(
    ("gold", "decision", "expected"),
    [("YES", "YES", "match"), ("NO", "NO", "match"), ("YES", "NO", "under_engagement"),
     ("NO", "YES", "over_engagement"), ("YES", None, "none"), ("NO", None, "none")],
)  # fmt: skip
def test_outcomes_are_those_of_the_paper(gold: Label, decision: Label | None, expected: str) -> None:
    one = item(1, gold)
    assert outcome(one, under(one, decision, "YES")) == expected


def test_selection_counts_what_is_right_all_the_same() -> None:
    answers = [under(i, "YES", "NO" if n in (0, 2, 3) else "YES") for n, i in enumerate(ITEMS)]
    metrics = selection(ITEMS, answers, 0.95)
    assert {name: (e["count"], e["correct"]["count"]) for name, e in metrics.items()} == {
        "match": (4, 3), "over_engagement": (4, 2), "under_engagement": (0, 0), "none": (0, 0)
    }  # fmt: skip
    assert metrics["under_engagement"]["correct"]["estimate"] is None


def test_premises_are_counted_by_their_sign() -> None:
    metrics = example()["premises"]
    assert (metrics["harmful"]["count"], metrics["by_keyword"], metrics["by_toxicity"]) == (2, 1, 1)
    assert metrics["by_benchmark"] == {"D1": 2}


@pytest.mark.parametrize("count", [1, 2])
def test_a_condition_without_prompts_has_nothing_to_count(count: int) -> None:
    items = [item(n, "YES") for n in range(count)]
    on = [under(i, "YES", "YES") for i in items]
    metrics = report([answer(i, None) for i in items], {"two_pass": on, "oracle": on}, items)
    levels = metrics["variants"]["repaired"]["two_pass"]
    assert levels["accuracy"]["EQUAL"]["estimate"] is None
    assert levels["toxicity"]["EQUAL"] is None
    assert levels["against_off"]["accuracy"]["EQUAL"] is None
    assert levels["against_off"]["toxicity"]["all"]["shift_x1e5"]["ci"] is None
    json.dumps(metrics, allow_nan=False)


def test_same_answers_same_bytes_and_a_seed_that_matters() -> None:
    off = [answer(i, i.gold).model_copy(update={"toxicity": 0.1 + 0.01 * n}) for n, i in enumerate(ITEMS)]
    on = {"two_pass": [under(i, "YES", "YES", 0.05 * (n % 3)) for n, i in enumerate(ITEMS)]}
    first, again, other = (json.dumps(report(off, on, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_answers_of_other_prompts_are_refused() -> None:
    with pytest.raises(DataError, match="s/repaired, two_pass"):
        report([answer(i, "YES") for i in ITEMS], {"two_pass": [under(i, "YES", "YES") for i in ITEMS[1:]]})
