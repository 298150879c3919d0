"""Shares, differences, wins and agreement against hand-computed values, scipy and statsmodels."""

from __future__ import annotations

import json
from typing import Any

import pytest
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.proportion import proportion_confint

from dart.core.errors import DataError
from dart.core.records import Generation
from dart.openended.evaluation import agreement, measures, openended_report, orders, paired_shares, sign_test
from dart.openended.judging import Assessment, Preference, QuestionVerdicts, combined
from dart.openended.questions import Question, load
from dart.stats.agreement import kappa_of_table

QUESTIONS = load()
HARMFUL = [question for question in QUESTIONS if question.harmful_premise]


def assessed(question: Question, appropriate: bool = True, handled: bool = True, refusal: bool = False) -> Assessment:
    return Assessment(
        refusal=refusal, difference_appropriate=appropriate, reason="r",
        harmful_premise_handled=handled if question.harmful_premise else None,
    )  # fmt: skip


def record(
    question: Question, base: Assessment, repaired: Assessment, said: str = "BA", judge: str = "judge"
) -> QuestionVerdicts:
    orders = [Preference.model_validate({"preferred": {"-": "tie"}.get(s, s), "reason": "r"}) for s in said]
    winner, consistent = combined(*orders)
    return QuestionVerdicts(
        question_id=question.id, judge=judge, model="m", base=base, repaired=repaired, base_first=orders[0],
        repaired_first=orders[1], winner=winner, consistent=consistent,
    )  # fmt: skip


def by_id(records: list[QuestionVerdicts]) -> dict[str, QuestionVerdicts]:
    return {one.question_id: one for one in records}


def test_paired_shares_by_hand_and_by_statsmodels() -> None:
    base = [True] * 3 + [True] * 1 + [False] * 8 + [False] * 8
    repaired = [True] * 3 + [False] * 1 + [True] * 8 + [False] * 8
    found = paired_shares(base, repaired, 0.95)
    assert (found["n"], found["only_base"], found["only_repaired"]) == (20, 1, 8)
    assert (found["base"]["count"], found["repaired"]["count"]) == (4, 11)
    assert found["difference"]["estimate"] == pytest.approx(7 / 20)
    assert found["p"] == pytest.approx(20 / 512, rel=1e-5)  # 2 (1 + 9) / 2^9
    assert found["p"] == pytest.approx(float(statsmodels_mcnemar([[3, 1], [8, 8]], exact=True).pvalue), rel=1e-5)
    assert found["repaired"]["ci"] == pytest.approx(proportion_confint(11, 20, method="wilson"), abs=1e-6)
    low, high = found["difference"]["ci"]
    assert low < 0.35 < high


def test_the_difference_has_tangos_interval() -> None:
    """At its bounds Tango's statistic, written out from his paper, is the normal quantile."""
    found = paired_shares([True] * 2 + [False] * 42, [False] * 2 + [True] * 12 + [False] * 30, 0.95)
    assert found["difference"]["estimate"] == pytest.approx(10 / 44, abs=1e-6)
    low, high = found["difference"]["ci"]
    for bound, sign in ((low, 1), (high, -1)):
        statistic = _score(2, 12, 44, bound)
        assert statistic == pytest.approx(sign * 1.959964, abs=1e-3)


def _score(b: int, c: int, n: int, delta: float) -> float:
    """Tango's statistic written out from the paper: (c - b - n delta) / sqrt(n (2 q + delta (1 - delta)))."""
    linear, constant = -b - c + (2 * n - c + b) * delta, -b * delta * (1 - delta)
    q = ((linear**2 - 8 * n * constant) ** 0.5 - linear) / (4 * n)
    return float((c - b - n * delta) / (n * (2 * q + delta * (1 - delta))) ** 0.5)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (5, 1), (12, 12), (80, 67)])
def test_the_sign_test_is_the_exact_binomial_one(wins: int, losses: int) -> None:
    expected = binomtest(wins, wins + losses, 0.5).pvalue if wins + losses else 1.0
    assert sign_test(wins, losses) == pytest.approx(expected)


def test_ties_count_as_no_win_and_not_in_the_test() -> None:
    said = ["BA"] * 6 + ["AB"] * 1 + ["--"] * 2 + ["AA"] * 1  # 6 wins, 1 loss, 2 ties, 1 of which the orders disagree
    part = QUESTIONS[:10]
    judged = [record(q, assessed(q), assessed(q), s) for q, s in zip(part, said, strict=True)]
    found = measures(part, by_id(judged), 0.95)["preference"]
    assert (found["wins"], found["ties"], found["losses"]) == (6, 3, 1)
    assert found["rate"]["estimate"] == pytest.approx(0.6)
    assert found["p"] == pytest.approx(binomtest(6, 7, 0.5).pvalue, rel=1e-5)
    told = orders(judged, 0.95)
    assert told["consistent"]["count"] == 9
    assert (told["first"]["count"], told["first"]["n"]) == (9, 16)  # 6 + 1 + 2 of the verdicts that are no tie


def test_premises_are_counted_where_there_is_one() -> None:
    plain = next(question for question in QUESTIONS if not question.harmful_premise)
    part = [*HARMFUL[:3], plain]
    judged = [record(q, assessed(q, handled=False), assessed(q, handled=q is not HARMFUL[0])) for q in part]
    found = measures(part, by_id(judged), 0.95)
    assert found["n"] == 4
    assert (found["premise"]["n"], found["premise"]["base"]["count"], found["premise"]["repaired"]["count"]) == (
        3,
        0,
        2,
    )


@pytest.mark.parametrize("n", [0, 1, 5])
def test_zero_one_and_all_questions_have_measures(n: int) -> None:
    part = HARMFUL[:n]
    judged = by_id([record(q, assessed(q, appropriate=False), assessed(q)) for q in part])
    found = measures(part, judged, 0.95)
    json.dumps(found, allow_nan=False)
    assert (found["appropriate"]["p"] is None) == (n == 0)
    assert (found["appropriate"]["difference"]["ci"] is None) == (n == 0)


def test_agreement_is_cohens_kappa_over_both_answers() -> None:
    part = QUESTIONS[:6]
    first = by_id(
        [record(q, assessed(q, appropriate=i < 3), assessed(q, appropriate=i < 5)) for i, q in enumerate(part)]
    )
    second = by_id([
        record(q, assessed(q, appropriate=i < 2), assessed(q, appropriate=i < 5), "BA" if i else "AB", "second_judge")
        for i, q in enumerate(part)
    ])  # fmt: skip
    found = agreement(first, second, confidence=0.95)
    # 12 answers: both yes 2 + 5, only the first yes 1, only the second 0, both no 3 + 1
    reference = cohens_kappa([[7, 1], [0, 4]])
    assert found["appropriate"]["n"] == 12
    assert found["appropriate"]["same"]["count"] == 11
    assert found["appropriate"]["kappa"]["estimate"] == pytest.approx(float(reference.kappa), abs=1e-6)
    interval = kappa_of_table([[7, 1], [0, 4]], 0.95)
    assert found["appropriate"]["kappa"]["ci"] == pytest.approx([interval.low, interval.high], abs=1e-5)
    assert (found["preference"]["n"], found["preference"]["same"]["count"]) == (6, 5)
    assert found["refusal"]["kappa"]["estimate"] is None  # nobody refuses: there is nothing to agree on


def answers(questions: list[Question]) -> dict[Any, list[Generation]]:
    return {
        side: [
            Generation(
                item_id=q.id, variant=side, text="t", rationale="t", prediction=None, new_tokens=1, model="m",
                revision="r", prompt_hash="p", toxicity=scale * (index + 1),
            )
            for index, q in enumerate(questions)
        ]
        for side, scale in (("base", 0.01), ("repaired", 0.005))
    }  # fmt: skip


def test_a_report_holds_every_domain_and_one_judge_is_enough() -> None:
    part = [question for question in QUESTIONS if question.domain in ("medical", "legal")][::20]
    judged = [record(q, assessed(q), assessed(q)) for q in part]
    found = openended_report(part, answers(part), {"judge": judged}, 0.95)
    json.dumps(found, allow_nan=False)
    assert found["agreement"] == {}
    domains = found["judges"]["judge"]["domains"]
    assert (domains["all"]["n"], domains["policy"]["n"]) == (len(part), 0)
    assert domains["medical"]["n"] + domains["legal"]["n"] == len(part)
    assert found["toxicity"]["all"]["wilcoxon"]["rank_biserial"] == -1.0
    assert found["toxicity"]["policy"]["n"] == 0


def test_records_and_answers_that_do_not_pair_are_refused() -> None:
    part = QUESTIONS[:3]
    judged = [record(q, assessed(q), assessed(q)) for q in part]
    for wrong in (judged[:2], [*judged, judged[0]]):
        with pytest.raises(DataError, match=r"judge: . records do not pair"):
            openended_report(part, answers(part), {"judge": wrong}, 0.95)
    with pytest.raises(DataError, match=r"answers of base are missing or not scored"):
        openended_report(part, answers(part[:2]), {"judge": judged}, 0.95)
