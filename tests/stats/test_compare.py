"""One comparison as JSON: its parts agree with the functions they come from, at the edges too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from dart.core.records import Generation, Item, Label
from dart.core.schema.method import Statistics
from dart.stats.cluster import cluster_robust
from dart.stats.compare import compare, exact_comparison, rounded
from dart.stats.equivalence import tango_interval
from dart.stats.paired import mcnemar
from dart.stats.power import detectable_difference

STATISTICS = Statistics(resamples=1000, confidence=0.95)
ANSWERS: tuple[Label | None, ...] = ("YES", "NO", None)


def items_of(gold: Sequence[Label]) -> list[Item]:
    return [
        Item(
            id=f"i{k}",
            benchmark="D1",
            condition="DIFF" if label == "YES" else "EQUAL",
            gold=label,
            prompt="?",
            scenario=f"s{k // 4}",
        )
        for k, label in enumerate(gold)
    ]


def answers_of(predictions: Sequence[Label | None]) -> list[Generation]:
    return [
        Generation(
            item_id=f"i{k}",
            variant="base",
            text="",
            rationale="",
            prediction=prediction,
            new_tokens=0,
            model="m",
            revision="r",
            prompt_hash="h",
        )
        for k, prediction in enumerate(predictions)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_parts_agree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gold: list[Label] = ["YES" if coin else "NO" for coin in rng.random(80) < 0.4]
    base, other = ([ANSWERS[k] for k in rng.integers(0, 3, size=80)] for _ in range(2))
    found = compare(items_of(gold), answers_of(base), answers_of(other), STATISTICS, 1)
    right = [[said == true for said, true in zip(side, gold, strict=True)] for side in (base, other)]
    b = sum(first and not second for first, second in zip(*right, strict=True))
    c = sum(second and not first for first, second in zip(*right, strict=True))
    assert (found["mcnemar"]["b"], found["mcnemar"]["c"]) == (b, c)
    assert found["mcnemar"]["p_exact"] == pytest.approx(mcnemar(b, c).p_exact, rel=1e-5)
    assert found["accuracy_difference"]["estimate"] == pytest.approx((c - b) / 80)
    assert found["minimum_detectable_difference"] == pytest.approx(detectable_difference(80, (b + c) / 80), abs=1e-6)
    by_scenario = found["accuracy_difference_by_scenario"]
    assert by_scenario["clusters"] == 20
    assert by_scenario["estimate"] == found["accuracy_difference"]["estimate"]
    differences = [int(second) - int(first) for first, second in zip(*right, strict=True)]
    clustered = cluster_robust(differences, [k // 4 for k in range(80)], STATISTICS, 1)
    assert by_scenario["se_cr1"] == pytest.approx(clustered.se_cr1, abs=1e-6)
    low, high = found["macro_f1_difference"]["ci_bca"]
    assert low < found["macro_f1_difference"]["estimate"] < high
    for name, kinds in (("accuracy", {"YES", "NO"}), ("diff_accuracy", {"YES"}), ("equal_accuracy", {"NO"})):
        chosen = [(one, two) for one, two, true in zip(*right, gold, strict=True) if true in kinds]
        expected = tango_interval(chosen.count((True, False)), chosen.count((False, True)), len(chosen))
        assert found[f"{name}_difference"] == expected.json(), name
    parsed = [(one is not None, two is not None) for one, two in zip(base, other, strict=True)]
    expected = tango_interval(parsed.count((True, False)), parsed.count((False, True)), 80)
    assert found["parse_rate_difference"] == expected.json()
    exact = exact_comparison(items_of(gold), answers_of(base), answers_of(other), STATISTICS, 1)
    assert exact["mcnemar"]["p_exact"] == mcnemar(b, c).p_exact
    assert exact["accuracy_base"] == sum(right[0]) / 80
    assert rounded(exact) == found


def test_nothing_discordant() -> None:
    answers = answers_of(["YES", "NO", "NO"])
    found = compare(items_of(["YES", "NO", "YES"]), answers, answers, STATISTICS, 1)
    p_values = dict.fromkeys(("p_exact", "p_midp", "p_chi2", "p_chi2_corrected"), 1.0)
    assert found["mcnemar"] == {"b": 0, "c": 0, **p_values}
    assert found["cohens_g"] is found["minimum_detectable_difference"] is None
    low, high = found["accuracy_difference"]["ci"]  # three pairs that agree leave much open
    assert low < -0.5 < 0.5 < high
    assert found["macro_f1_difference"] == {"estimate": 0.0, "ci": None, "ci_bca": None}


def test_all_unparsed_and_one_item() -> None:
    found = compare(items_of(["YES"]), answers_of([None]), answers_of(["YES"]), STATISTICS, 1)
    assert (found["n"], found["accuracy_base"], found["accuracy_other"]) == (1, 0.0, 1.0)
    assert found["parsed"]["n"] == 0
    assert found["parsed"]["minimum_detectable_difference"] is None
    assert found["accuracy_parsed_base"] is None
    assert found["equal_accuracy_difference"] == {"estimate": None, "ci": None}
    assert found["accuracy_difference"] == {"estimate": 1.0, "ci": None}
    assert found["accuracy_difference_by_scenario"]["ci"] is None
