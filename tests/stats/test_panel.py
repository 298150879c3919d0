"""Majority, agreement matrix and the alternative annotator test, against counts by hand."""

from __future__ import annotations

import random

import pytest
from scipy.stats import ttest_1samp

from dart.stats.panel import agreement_matrix, alternative_annotator_test, majority, panel_report

N = 200


def noisy(truth: list[bool], error: float, seed: int) -> dict[str, bool]:
    draw = random.Random(seed)
    return {str(i): value ^ (draw.random() < error) for i, value in enumerate(truth)}


TRUTH = [i % 3 == 0 for i in range(N)]


def test_a_majority_needs_more_than_half_of_those_with_a_verdict() -> None:
    members = {
        "a": {"1": True, "2": True, "3": True, "4": False},
        "b": {"1": True, "2": False, "3": False},
        "c": {"1": False, "3": False},
    }
    assert majority(members) == {"1": True, "3": False, "4": False}, "2 is a tie"


def test_the_matrix_uses_shared_items_only() -> None:
    matrix = agreement_matrix({"a": {"1": True, "2": False}, "b": {"2": False, "3": True}, "c": {"9": True}})
    assert matrix["a"]["b"]["n"] == 1
    assert matrix["a"]["c"] == {"n": 0, "kappa": None, "kappa_ci": None}
    assert set(matrix) == {"a", "b"}


def test_a_judge_as_good_as_people_may_replace_them_and_a_coin_may_not() -> None:
    people = [noisy(TRUTH, 0.1, seed) for seed in (1, 2, 3)]
    good = alternative_annotator_test(noisy(TRUTH, 0.08, 9), people)
    assert (good["may_replace"], good["winning_rate"], good["n"]) == (True, 1.0, N)
    coin = alternative_annotator_test(noisy(TRUTH, 0.5, 9), people)
    assert (coin["may_replace"], coin["winning_rate"]) == (False, 0.0)
    assert coin["advantage"] < 0.75 < good["advantage"]


def test_two_annotators_by_hand() -> None:
    first, second = (noisy(TRUTH, 0.1, seed) for seed in (1, 2))
    judge = noisy(TRUTH, 0.12, 5)
    result = alternative_annotator_test(judge, [first, second])
    expected = []
    for own, other in ((first, second), (second, first)):
        differences = [(own[i] == other[i]) - (judge[i] == other[i]) for i in judge]
        expected.append(float(ttest_1samp(differences, 0.15, alternative="less").pvalue))
    largest = max(expected)
    assert max(result["p"]) == pytest.approx(largest * 1.5, rel=1e-2)  # Benjamini-Yekutieli of two: (1 + 1/2) p at most
    wins = [
        (judge[i] == other[i]) >= (own[i] == other[i])
        for own, other in ((first, second), (second, first))
        for i in judge
    ]
    assert result["advantage"] == pytest.approx(sum(wins) / len(wins), abs=1e-4)


def test_too_few_pairs_or_people_decide_nothing() -> None:
    people = [noisy(TRUTH, 0.1, seed) for seed in (1, 2)]
    few = {str(i): TRUTH[i] for i in range(29)}
    assert alternative_annotator_test(few, people)["may_replace"] is None
    assert alternative_annotator_test(noisy(TRUTH, 0.1, 3), people[:1])["may_replace"] is None
    assert alternative_annotator_test({}, [])["n"] == 0


def test_a_panel_has_its_majority_as_a_candidate() -> None:
    people = [noisy(TRUTH, 0.05, seed) for seed in (1, 2)]
    judges = {name: noisy(TRUTH, 0.15, seed) for name, seed in (("judge", 5), ("second_judge", 6), ("guard", 7))}
    report = panel_report(judges, people, dict(zip(map(str, range(N)), TRUTH, strict=True)))
    assert set(report["admission"]) == {*judges, "majority"}
    assert report["decided"] == N
    kappas = {name: report["matrix"]["consensus"][name]["kappa"] for name in (*judges, "majority")}
    assert kappas["majority"] > max(kappas[name] for name in judges)
    alone = panel_report({"judge": judges["judge"]}, people, {})
    assert set(alone["admission"]) == {"judge"}
