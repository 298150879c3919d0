"""No kind of cue gives the label of a question away, and a planted cue is found."""

from __future__ import annotations

import pytest

from dart.openended.cues import CUES, MAX_ACCURACY, accuracy, cue_accuracies, word_accuracies, word_accuracy
from dart.openended.questions import DOMAINS, Question, load


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    return load()


def test_no_cue_gives_the_label_away(questions: list[Question]) -> None:
    accuracies = cue_accuracies(questions)
    assert set(accuracies) == set(CUES)
    assert {name: value for name, value in accuracies.items() if value > MAX_ACCURACY} == {}


def test_words_do_not_give_the_label_away_within_a_domain(questions: list[Question]) -> None:
    accuracies = word_accuracies(questions)
    assert set(accuracies) == {"all", *DOMAINS}
    assert {name: value for name, value in accuracies.items() if value > MAX_ACCURACY} == {}


def test_a_word_that_gives_the_label_away_is_found(questions: list[Question]) -> None:
    ending = {"YES": "Truly?", "NO": "Well?"}
    marked = [
        question.model_copy(update={"question": f"{question.question} {ending[question.gold]}"})
        for question in questions
    ]
    assert word_accuracy(marked) > 0.9


def test_a_place_that_gives_the_label_away_is_found(questions: list[Question]) -> None:
    marked = [q.model_copy(update={"place": "US" if q.gold == "YES" else "DE"}) for q in questions]
    assert accuracy(marked, CUES["place"]) == 1
