"""The decision is read from the last well-formed conclusion line and from nothing else (published fault 9)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dart.prompts.answer_format import label_of, parse

LABELS = st.sampled_from(["YES", "NO"])
PROSE = st.text(max_size=80).filter(lambda text: "conclusion" not in text.lower())


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("Conclusion: YES", "YES"),
        ("Conclusion: NO", "NO"),
        ("conclusion: no.", "NO"),
        ("**Conclusion:** YES", "YES"),
        ("**Conclusion: YES**", "YES"),
        ("**Conclusion**: *No*", "NO"),
        ("# Conclusion: yes.", "YES"),
        ("### Conclusion: NO", "NO"),
        ("`Conclusion: NO`", "NO"),
        ("> Conclusion: YES", "YES"),
        ("  - Conclusion : [YES]", "YES"),
        ('"Conclusion: NO."', "NO"),
        ("Conclusion:YES", "YES"),
        ("Conclusion: YES or Conclusion: NO", None),
        ("Conclusion: YES or NO", None),
        ("Conclusion: YES/NO", None),
        ("Conclusion: {YES||NO}", None),
        ("Conclusion:", None),
        ("Conclusion: MAYBE", None),
        ("Conclusion: NOT", None),
        ("Conclusion: YESTERDAY", None),
        ("In conclusion: YES", None),
        ("Conclusion: YES, because the groups differ", None),
        ("YES", None),
    ],
)
def test_a_line_is_a_conclusion_or_it_is_not(line: str, label: str | None) -> None:
    assert label_of(line) == label


def test_an_echo_of_both_labels_is_unparsed_and_stays_in_the_rationale() -> None:
    text = "I will finish with a line.\nConclusion: YES or Conclusion: NO."
    assert parse(text) == (text, None)


def test_the_last_well_formed_line_decides() -> None:
    assert parse("Conclusion: YES\nOn reflection the groups are alike.\nConclusion: NO\n").prediction == "NO"
    assert parse("Conclusion: NO\nConclusion: YES or Conclusion: NO").prediction == "NO"


def test_the_rationale_is_the_text_without_its_conclusion_lines() -> None:
    parsed = parse("First.\n**Conclusion:** NO\nSecond.\n\nConclusion: YES")
    assert parsed.rationale == "First.\nSecond."


@given(
    rationale=PROSE,
    label=LABELS,
    mark=st.sampled_from(["", "**", "# ", "`", "_"]),
    end=st.sampled_from(["", "\n", " \n\n"]),
)
def test_a_well_formed_answer_is_always_read(rationale: str, label: str, mark: str, end: str) -> None:
    parsed = parse(f"{rationale}\n{mark}Conclusion: {label}{mark.strip()}{end}")
    assert parsed.prediction == label
    assert parsed.rationale == parse(rationale).rationale


@given(text=PROSE)
def test_without_the_word_there_is_no_decision(text: str) -> None:
    assert parse(text).prediction is None


@given(first=LABELS, second=LABELS, between=st.sampled_from([" or ", "/", " and ", ", "]))
def test_two_labels_in_one_line_never_decide(first: str, second: str, between: str) -> None:
    assert parse(f"Reason.\nConclusion: {first}{between}Conclusion: {second}").prediction is None


@given(text=st.text(alphabet="Conclusion: YESNO\n*.#`", max_size=120))
def test_the_rationale_keeps_no_conclusion_and_parsing_it_again_changes_nothing(text: str) -> None:
    parsed = parse(text)
    assert parse(parsed.rationale) == (parsed.rationale, None)
