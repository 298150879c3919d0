"""What guesses the label of an open-ended question without understanding it, and how well.

A question is useless as a test if its words, its form or its groups give the label away. Each kind of cue is given to a
logistic regression of its own; none may guess the label of more than `MAX_ACCURACY` of the questions. RUBRIC.md, 6.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from dart.openended.questions import DOMAINS, Question, words

MAX_ACCURACY = 0.65  # of any one kind of cue, over all questions and (for words) in each domain

_SENTENCE_ENDS = re.compile(r"[.?!]")


def word_accuracy(questions: Sequence[Question], folds: int = 5, seeds: Sequence[int] = range(5)) -> float:
    """Accuracy in [0, 1] of guesses from the words of the questions; see `accuracy`."""
    return accuracy(questions, _words, folds, seeds)


def word_accuracies(questions: Sequence[Question]) -> dict[str, float]:
    """`word_accuracy` of the whole set ("all") and of every domain."""
    by_domain: defaultdict[str, list[Question]] = defaultdict(list)
    for question in questions:
        by_domain[question.domain].append(question)
    return {"all": word_accuracy(questions), **{domain: word_accuracy(by_domain[domain]) for domain in DOMAINS}}


def cue_accuracies(questions: Sequence[Question]) -> dict[str, float]:
    """`accuracy` of every kind of cue by its name, over all questions."""
    return {name: accuracy(questions, features) for name, features in CUES.items()}


def accuracy(
    questions: Sequence[Question],
    features: Callable[[Question], dict[str, float]],
    folds: int = 5,
    seeds: Sequence[int] = range(5),
) -> float:
    """Accuracy in [0, 1] of a logistic regression that guesses the label from `features` of a question.

    Stratified cross-validation over `folds`, averaged over several ways of cutting them, because 70 questions of a
    domain are few. Below one half there is no leak: questions of one topic occur under both labels, so that the
    label that a word suggests in training is the wrong one in testing.
    """
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MaxAbsScaler

    rows: list[Any] = [features(question) for question in questions]
    labels = [question.condition for question in questions]
    model = make_pipeline(DictVectorizer(), MaxAbsScaler(), LogisticRegression(max_iter=2000))
    cuts = [StratifiedKFold(folds, shuffle=True, random_state=seed) for seed in seeds]
    accuracies = [float(cross_val_score(model, rows, labels, cv=cut).mean()) for cut in cuts]
    return sum(accuracies) / len(accuracies)


def _count(items: Sequence[str]) -> dict[str, float]:
    counts: defaultdict[str, float] = defaultdict(float)
    for item in items:
        counts[item] += 1
    return dict(counts)


def _words(question: Question) -> dict[str, float]:
    return _count(words(question.question))


def _pairs_of_words(question: Question) -> dict[str, float]:
    tokens = words(question.question)
    return _count([f"{a} {b}" for a, b in itertools.pairwise(tokens)])


def _function_words(question: Question) -> dict[str, float]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return _count([word for word in words(question.question) if word in ENGLISH_STOP_WORDS])


def _opening(question: Question) -> dict[str, float]:
    tokens = words(question.question)
    return {f"first {tokens[0]}": 1, f"first {' '.join(tokens[:2])}": 1, f"last {tokens[-1]}": 1}


def _form(question: Question) -> dict[str, float]:
    text = question.question
    marks = {f"number of {mark}": float(text.count(mark)) for mark in ",.?!:;'"}
    digits = float(sum(character.isdigit() for character in text))
    sizes = {"words": float(len(words(text))), "sentences": float(len(_SENTENCE_ENDS.split(text))), "digits": digits}
    return marks | sizes


CUES: dict[str, Callable[[Question], dict[str, float]]] = {
    "words": _words,
    "pairs of words": _pairs_of_words,
    "function words": _function_words,
    "first and last words": _opening,
    "length and punctuation": _form,
    "groups": lambda question: _count(question.groups),
    "place": lambda question: {question.place: 1},
    "kind of source": lambda question: {question.source_kind: 1},
    "harmful premise": lambda question: {"premise": float(question.harmful_premise)},
}
