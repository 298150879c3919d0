"""Counting sentences: abbreviations, decimals and list marks are no sentence ends (the published code failed here)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dart.distill.sentences import count_sentences

CASES = {
    "": 0,
    " \n ": 0,
    "...": 0,
    "no stop at all": 1,
    "One. Two. Three.": 3,
    "One! Two? Three": 3,
    "The U.S. Supreme Court ruled on it. That settles it.": 2,
    "This is so in the U.S. The law elsewhere differs.": 2,
    "The U.K. and the U.S.A. differ.": 1,
    "Some roles, e.g. clergy, may differ, i.e. the law allows it.": 1,
    "Some roles (e.g. Catholic clergy) differ.": 1,
    "Mr. Smith met Dr. Jones and Ms. Lee. They agreed.": 2,
    "J. Smith v. Jones Inc. was decided.": 1,
    "Rates are 3.5 and 4.25 percent. The gap is real.": 2,
    "Option (a) is right. So is option (b).": 2,
    "Hmm... well, it depends. Wait... The law says so.": 3,
    "It depends… on the law.": 1,
    "Is it so?! Yes.": 2,
    'He said "it is so." She agreed.': 2,
    "See Sec. 5 and No. 7 of the act. It applies.": 2,
    "The answer is no. The law is clear.": 2,
    "On Jan. 5 it began.": 1,
    "Age, religion, etc. are protected.": 1,
    "Age, religion, etc. The law lists them.": 2,
    "A Ph.D. holder may apply.": 1,
    "The bar opens at 5 p.m. on Mondays. Entry is free.": 2,
    "1. The law differs. 2. The facts differ.": 2,
    "Reasons:\n- the law\n- the facts": 3,
    "First part\n\nSecond part": 2,
    "One sentence\nbroken over lines.": 1,
    "I think it is option B. The others are wrong.": 2,
}


@pytest.mark.parametrize("text", CASES)
def test_counts(text):
    assert count_sentences(text) == CASES[text]


PLAIN = st.lists(st.sampled_from(["law", "group", "differs", "e.g. clergy", "Mr. Lee", "3.5 percent"]), min_size=1)


@given(st.lists(PLAIN, max_size=6))
def test_sentences_made_of_awkward_parts_are_counted_right(sentences):
    text = " ".join("The " + " ".join(words) + " applies." for words in sentences)
    assert count_sentences(text) == len(sentences)


@given(st.text())
def test_any_text_has_a_count(text):
    assert count_sentences(text) >= 0
    assert (count_sentences(text) > 0) or not any(word.isalpha() and len(word) > 4 for word in text.split())
