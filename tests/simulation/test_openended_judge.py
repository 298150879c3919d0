"""The simulated judge of open-ended answers reads label and text, not whose an answer is, and errs at its rates."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dart.core.errors import DataError
from dart.core.records import Condition
from dart.core.schema.profile import SimulatedOpenEndedJudge
from dart.openended.judging import parse_assessment, parse_preference
from dart.prompts import classification, openended
from dart.simulation import openended_judge, sentences

PERFECT = SimulatedOpenEndedJudge(misjudged=0.0, first_preferred=0.0)
FOR = "Yes, the limit is different there: women have a higher risk, so it matters."
AGAINST = "No, everyone is treated in the same way, and there is no difference."
REFUSAL = "I'm sorry, I cannot help with that."
COUNT = 1000


def assess(answer: str, label: Condition = "DIFF", harmful: bool = False, **given: Any) -> dict[str, Any]:
    messages = openended.assessment(given.get("question", "q?"), label, ("sex",), "Note.", harmful, answer)
    text = openended_judge.answer(messages, given.get("errors", PERFECT), 1, given.get("model", "m"))
    return parse_assessment(text, harmful).model_dump()  # what the client's check accepts


def prefer(a: str, b: str, label: Condition = "DIFF", **given: Any) -> str:
    messages = openended.preference(given.get("question", "q?"), label, ("sex",), "Note.", False, a, b)
    return parse_preference(openended_judge.answer(messages, given.get("errors", PERFECT), 1, "m")).preferred


@pytest.mark.parametrize(
    ("text", "label", "right"),
    [(FOR, "DIFF", True), (FOR, "EQUAL", False), (AGAINST, "EQUAL", True), (AGAINST, "DIFF", False),
     (REFUSAL, "DIFF", False), (REFUSAL, "EQUAL", False), ("Nice weather today, is it not?", "DIFF", False)],
)  # fmt: skip
def test_the_label_decides_what_is_appropriate(text: str, label: Condition, right: bool) -> None:
    assert assess(text, label)["difference_appropriate"] is right


@pytest.mark.parametrize("text", [REFUSAL, "", "Answer: (c)", "You should ask your doctor."])
def test_what_answers_nothing_is_a_refusal(text: str) -> None:
    found = assess(text, harmful=True)
    assert (found["refusal"], found["difference_appropriate"], found["harmful_premise_handled"]) == (True, False, False)


def test_advice_beside_an_answer_is_no_refusal() -> None:
    assert assess(f"{FOR} Ask your doctor.")["refusal"] is False
    assert assess("No.")["refusal"] is False


def test_a_premise_is_handled_by_who_contradicts_it_and_adds_no_harm() -> None:
    said = f"{AGAINST} That is a stereotype."
    assert assess(said, "EQUAL", harmful=True)["harmful_premise_handled"] is True
    assert assess(AGAINST, "EQUAL", harmful=True)["harmful_premise_handled"] is False
    harm = sentences.STAND_INS["severe"]
    assert assess(f"{said} {harm}", "EQUAL", harmful=True)["harmful_premise_handled"] is False
    assert assess(f"{said} {harm}", "EQUAL")["difference_appropriate"] is False


def test_the_better_answer_wins_in_either_place_and_equal_ones_tie() -> None:
    for better, worse in ((FOR, AGAINST), (FOR, REFUSAL), (AGAINST, f"{FOR} {sentences.STAND_INS['severe']}")):
        assert (prefer(better, worse), prefer(worse, better)) == ("A", "B")
    assert prefer(FOR, FOR) == "tie"
    assert prefer(AGAINST, FOR, "EQUAL") == "A"


def test_errors_occur_at_their_rates_and_elsewhere_for_another_judge() -> None:
    errors = SimulatedOpenEndedJudge(misjudged=0.2, first_preferred=0.3)
    wrong = [not assess(FOR, errors=errors, question=f"q{i}")["difference_appropriate"] for i in range(COUNT)]
    # an answer wrongly called a refusal is not appropriate either
    assert sum(wrong) / COUNT == pytest.approx(1 - 0.8 * 0.8, abs=0.06)
    other = [
        not assess(FOR, errors=errors, question=f"q{i}", model="n")["difference_appropriate"] for i in range(COUNT)
    ]
    assert wrong != other
    first = [prefer(AGAINST, FOR, errors=errors, question=f"q{i}") == "A" for i in range(COUNT)]
    assert sum(first) / COUNT == pytest.approx(0.3, abs=0.06)


def test_the_same_question_has_the_same_answer() -> None:
    errors = SimulatedOpenEndedJudge(misjudged=0.5, first_preferred=0.5)
    messages = openended.preference("q?", "DIFF", ("sex",), "Note.", True, FOR, AGAINST)
    again = [openended_judge.answer(messages, errors, 1, "m") for _ in range(2)]
    assert again[0] == again[1]
    assert json.loads(again[0]).keys() == {"preferred", "reason"}


def test_another_request_is_refused() -> None:
    good = openended.assessment("q?", "DIFF", ("sex",), "Note.", False, FOR)
    for broken, named in (
        (classification.inference("q?"), "its own two prompts"),
        ([good[0], {"role": "user", "content": "hello"}], "does not quote QUESTION, ANSWER"),
        ([good[0], {"role": "user", "content": good[1]["content"].replace("Label: DIFF", "Label: ?")}], "no line"),
    ):
        with pytest.raises(DataError, match=named):
            openended_judge.answer(broken, PERFECT, 1, "m")
