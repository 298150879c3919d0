"""The numbers of the datasheet are those of the questions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from importlib.resources import files
from statistics import median

import pytest

from dart.openended.cues import CUES, accuracy
from dart.openended.questions import DOMAINS, Question, load, words

TEXT = (files("dart.openended") / "DATASHEET.md").read_text(encoding="utf-8")
ROWS: dict[str, Callable[[Question], bool]] = {
    "questions": lambda question: True,
    "DIFF (gold YES)": lambda question: question.condition == "DIFF",
    "EQUAL (gold NO)": lambda question: question.condition == "EQUAL",
    "with a harmful premise": lambda question: question.harmful_premise,
    "decided in the United States": lambda question: question.place[:2] == "US",
    "decided elsewhere": lambda question: question.place != "general" and question.place[:2] != "US",
    "general": lambda question: question.place == "general",
}
COUNTRIES = {"GB": "United Kingdom and its parts", "DE": "Germany", "IE": "Ireland", "CA": "Canada", "FR": "France"}
VERIFIED = {"opened": "opened", "copy": "read in a copy", "reported": "reported", "not_opened": "not opened"}


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    return load()


@pytest.mark.parametrize("name", ROWS)
def test_a_row_of_the_composition(questions: list[Question], name: str) -> None:
    counts = [sum(ROWS[name](question) for question in questions if question.domain == domain) for domain in DOMAINS]
    assert f"| {name} | {' | '.join(map(str, [*counts, sum(counts)]))} |" in TEXT


def test_groups_premises_and_lengths(questions: list[Question]) -> None:
    names = {"race_ethnicity": "race and ethnicity", "nationality_migration": "nationality and migration"}
    counts = Counter((group, question.condition) for question in questions for group in question.groups)
    for group in {group for group, _ in counts}:
        name = names.get(group, group.replace("_", " "))
        assert f"| {name} | {counts[group, 'DIFF']} | {counts[group, 'EQUAL']} |" in TEXT
    premises = Counter(question.condition for question in questions if question.harmful_premise)
    assert f"{premises['DIFF']} stand under DIFF and {premises['EQUAL']} under EQUAL" in TEXT
    sizes = [len(words(question.question)) for question in questions]
    assert f"has {min(sizes)} to {max(sizes)} words, in the middle {median(sizes):.0f}." in TEXT


def test_places_and_sources(questions: list[Question]) -> None:
    places = Counter(question.place[:2] for question in questions)
    for code, name in COUNTRIES.items():
        assert f"| {name} | {places[code]} |" in TEXT
    for kind, count in Counter(question.source_kind for question in questions).items():
        assert f"| {kind} | {count} |" in TEXT
    verified = Counter(question.source.verified for question in questions)
    for value, name in VERIFIED.items():
        assert f"| {name} | {verified[value]} |" in TEXT
    primary = [question for question in questions if question.source_kind != "secondary"]
    assert f"{len(primary)} of the 280 sources are primary" in TEXT
    own = sum(question.source.verified in ("opened", "copy") for question in primary)
    reported = sum(question.source.verified == "reported" for question in primary)
    assert re.search(rf"{own} of the primary sources were read in their\s+own words and {reported} through", TEXT)


@pytest.mark.parametrize("cue", sorted(CUES.keys() - {"words", "pairs of words", "function words"}))
def test_accuracy_of_a_cue(questions: list[Question], cue: str) -> None:
    [printed] = re.findall(rf"\| {cue} \| (\d\.\d\d) \|", TEXT)
    assert accuracy(questions, CUES[cue]) == pytest.approx(float(printed), abs=0.015)
