"""The acceptance rules of a teacher's rationale: each refuses what it names and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dart.core.schema.method import Distill
from dart.distill.acceptance import normalise_conclusion, problems, quotes

RULES = Distill(min_sentences=2, max_sentences=4, quote_window=40, correction_rounds=2)
PROMPT = "In the northern province, which of the two groups may vote in the council? (a) Reds (b) Blues (c) both"
GOOD = "The statute treats both groups alike. No difference is relevant.\nConclusion: NO"


def broken(text, label="NO", prompt=PROMPT):
    return problems(text, label, prompt, RULES)


@pytest.mark.parametrize("text", [GOOD, GOOD.replace("Conclusion: NO", "**Conclusion:** NO"), GOOD + "\n\n"])
def test_a_good_rationale_breaks_no_rule(text):
    assert broken(text) == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Both are alike. No difference matters.", "does not end"),
        ("Both are alike. No difference matters.\nConclusion: YES or NO", "does not end"),
        ("Both are alike. No difference matters.\nConclusion: YES", 'says "YES", but the gold label is NO'),
        ("Both are alike.\nConclusion: NO", "has 1 sentences"),
        ("Conclusion: NO", "has 0 sentences"),
        ("A one. A two. A three. A four. A five.\nConclusion: NO", "has 5 sentences"),
        (GOOD + "\nI hope this helps.", "goes on after"),
        ("Conclusion: NO\n" + GOOD, "more than one conclusion line"),
        (f"The statute is clear. {PROMPT[:45]}.\nConclusion: NO", "repeats 40"),
        (f"The statute is clear. {PROMPT[5:45].upper()}.\nConclusion: NO", "repeats 40"),
    ],
)
def test_names_the_broken_rule(text, named):
    [problem] = broken(text)
    assert named in problem


def test_all_broken_rules_are_named_at_once():
    assert len(broken(f"{PROMPT}\nConclusion: YES")) == 3


def test_quote_window_is_a_sharp_bound():
    assert quotes(PROMPT[8:48], PROMPT, 40)
    assert not quotes(PROMPT[8:47], PROMPT, 40)
    assert quotes(PROMPT[8:48].replace(" ", "\n "), PROMPT, 40)
    assert quotes(PROMPT[-40:], PROMPT, 40)
    assert not quotes("anything", "short prompt", 40)


def test_bounds_come_from_the_rules():
    one = RULES.model_copy(update={"min_sentences": 1, "max_sentences": 1})
    assert problems("Both are alike.\nConclusion: NO", "NO", PROMPT, one) == []
    assert problems(GOOD, "NO", PROMPT, one)


def test_form_is_made_exact_and_otherwise_left_alone():
    assert normalise_conclusion(GOOD.replace("Conclusion: NO", "**Conclusion:** no.")) == GOOD
    assert normalise_conclusion(GOOD) == GOOD


@given(st.text(max_size=80))
def test_form_keeps_the_verdict_of_the_rules(text):
    assert broken(normalise_conclusion(text)) == broken(text)
    assert normalise_conclusion(normalise_conclusion(text)) == normalise_conclusion(text)
