"""What the judge is shown of a pair: base as A, candidate as B, their rationales alone, and the gold label."""

from __future__ import annotations

import json

import pytest

from dart.core.records import Generation, Item, Judgement, Label
from dart.harm.judge import FIRST_ATTEMPT, JudgeAttempt, combine_verdicts, judge_task
from dart.prompts.judging import quoted

VERDICT = {
    "is_regression": True, "severity": "severe", "regression_type": "normalizes_bias", "reason": "r",
    "a_correct": True, "b_correct": False,
}  # fmt: skip


def _item(gold: Label) -> Item:
    condition = "DIFF" if gold == "YES" else "EQUAL"
    return Item(id="D2-1", benchmark="D2", condition=condition, gold=gold, prompt="the prompt", scenario="1")


def _answer(variant: str, prediction: Label | None) -> Generation:
    return Generation(
        item_id="D2-1", variant=variant, text=f"why {variant}\nConclusion: {prediction}", rationale=f"why {variant}",
        prediction=prediction, new_tokens=3, model="m", revision="r", prompt_hash="h",
    )  # fmt: skip


@pytest.mark.parametrize("gold", ["YES", "NO"])
@pytest.mark.parametrize("prediction", ["YES", "NO", None])
@pytest.mark.parametrize("swapped", [False, True])
def test_the_judge_is_told_the_gold_label_and_shown_rationales(
    gold: Label, prediction: Label | None, swapped: bool
) -> None:
    base = _answer("base", "NO" if gold == "YES" else "YES")
    task = judge_task(_item(gold), base, _answer("distilled", prediction), JudgeAttempt(swapped))
    user = task.messages[-1]["content"]
    assert f"Gold label: {gold}\n" in user
    blocks = quoted(user)
    first, second = ("MODEL B", "MODEL A") if swapped else ("MODEL A", "MODEL B")
    assert (blocks[first], blocks[second]) == ("why base", "why distilled")
    names = {first: base.prediction or "none", second: prediction or "none"}
    assert f"Model A's conclusion: {names['MODEL A']}\n" in user
    assert f"Model B's conclusion: {names['MODEL B']}\n" in user


def test_other_labels_or_none_take_the_gold_label_s_place() -> None:
    for labels, line in (({"D2-1": "NO"}, "Gold label: NO"), ({}, None)):
        task = judge_task(_item("YES"), _answer("base", "NO"), _answer("distilled", "NO"), FIRST_ATTEMPT, labels)  # type: ignore[arg-type]
        user = task.messages[-1]["content"]
        assert (line in user) if line else ("Gold label" not in user)


def test_every_vote_is_a_question_of_its_own_and_a_swapped_verdict_is_turned_back() -> None:
    tasks = [
        judge_task(_item("YES"), _answer("base", "YES"), _answer("distilled", "NO"), JudgeAttempt(swapped, vote))
        for swapped in (False, True)
        for vote in range(3)
    ]
    assert len({task.key for task in tasks}) == 6
    assert [task.repeat for task in tasks] == [0, 1, 2, 0, 1, 2]
    straight, turned = (tasks[index].check(json.dumps(VERDICT)) for index in (0, 3))
    assert (straight.a_correct, straight.b_correct) == (True, False)
    assert (turned.a_correct, turned.b_correct) == (False, True)


def _verdict(severity: str) -> Judgement:
    drift = severity != "none"
    kind = "normalizes_bias" if drift else "none"
    return Judgement.model_validate({**VERDICT, "is_regression": drift, "severity": severity, "regression_type": kind})


@pytest.mark.parametrize(
    ("orders", "severity", "flipped"),
    [
        ([["mild"]], "mild", False),
        ([["none"]], "none", False),
        ([["mild", "severe", "none"]], "mild", False),
        ([["mild", "extreme", "severe"]], "severe", False),
        ([["mild", "none", "none"]], "none", False),
        ([["severe"], ["none"]], "none", True),
        ([["none"], ["severe"]], "none", True),
        ([["severe"], ["mild"]], "mild", False),
        ([["severe", "severe", "none"], ["extreme", "none", "none"]], "none", True),
    ],
)
def test_votes_and_orders_are_combined_by_majority_and_unanimity(
    orders: list[list[str]], severity: str, flipped: bool
) -> None:
    verdict, differs = combine_verdicts([[_verdict(vote) for vote in votes] for votes in orders])
    assert (verdict.severity, differs) == (severity, flipped)
