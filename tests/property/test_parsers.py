"""Parsers of what models write: they never raise, never invent, and what they have split goes together again."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dart.chat.tasks import Rejected
from dart.core.schema.method import Distill
from dart.core.visible_text import short, shown, visible
from dart.distill.acceptance import normalise_conclusion, problems, quotes
from dart.distill.sentences import count_sentences
from dart.harm.judge import parse_verdict
from dart.prompts.answer_format import label_of, parse
from dart.prompts.judging import fence_code, fenced, judge, quoted
from dart.report.latex import latex_escape
from dart.report.markdown import escaped
from dart.report.markdown import fenced as code_block
from dart.suite.own import same_prompt

FAST = settings(settings.get_profile("default"), max_examples=100, deadline=None, derandomize=True)
PARTS = st.sampled_from(
    ("Conclusion: YES", "conclusion: no", "**Conclusion:** YES.", "> Conclusion: NO", "Conclusion: MAYBE",
     "Conclusion:", "Conclusion: YES or Conclusion: NO", "U.S. law", "Dr. A", "e.g. one.", "1. a", "\n", "\n\n", " ",
     "…", "\u2028", "\r")
)  # fmt: skip
ANSWER = st.lists(PARTS | st.text(max_size=12), max_size=12).map("".join)
RULES = Distill(min_sentences=2, max_sentences=4, quote_window=10, correction_rounds=0)


@FAST
@given(ANSWER)
@example("Conclusion: YES\nConclusion: NO")
def test_an_answer_is_split_into_its_rationale_and_its_last_conclusion(text: str) -> None:
    parsed = parse(text)
    labels = [label for line in text.splitlines() if (label := label_of(line))]
    assert parsed.prediction == (labels[-1] if labels else None)
    assert not any(label_of(line) for line in parsed.rationale.splitlines())
    assert parse(parsed.rationale) == (parsed.rationale, None)
    assert parse(f"{parsed.rationale}\nConclusion: YES") == (parsed.rationale, "YES")


@FAST
@given(ANSWER)
def test_a_conclusion_is_brought_into_one_form_once(text: str) -> None:
    normal = normalise_conclusion(text)
    assert normalise_conclusion(normal) == normal
    assert parse(normal).prediction == parse(text).prediction


@FAST
@given(ANSWER, ANSWER)
def test_sentences_and_quotations_are_counted_whatever_stands_there(text: str, prompt: str) -> None:
    assert 0 <= count_sentences(text) <= len(text)
    assert count_sentences("A law. " * 3) == 3
    problems(text, "YES", prompt, RULES)
    assert quotes(f"before {'x' * 12} after", "x" * 12, 10)


VERDICT = {
    "is_regression": True, "severity": "mild", "regression_type": "normalizes_bias", "reason": "r", "a_correct": True,
    "b_correct": False,
}  # fmt: skip
FIELD = st.sampled_from([*VERDICT, "extra"])
VALUE = (
    st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=5) | st.sampled_from(("none", "severe", "true"))
)


@FAST
@given(st.dictionaries(FIELD, VALUE, max_size=3), st.text(max_size=4), st.text(max_size=4))
def test_a_verdict_is_a_judgement_or_rejected(changes: dict[str, object], before: str, after: str) -> None:
    text = before + json.dumps(VERDICT | changes) + after
    try:
        verdict = parse_verdict(text)
    except Rejected:
        return
    assert verdict.model_dump() == {**VERDICT, **changes}
    assert verdict.is_regression == (verdict.severity != "none") == (verdict.regression_type != "none")


@FAST
@given(st.text(max_size=200))
def test_any_text_is_no_verdict_or_rejected(text: str) -> None:
    with pytest.raises(Rejected):
        parse_verdict(text)


FENCES = st.sampled_from(("<<<MODEL A ", "<<<END PROMPT ", ">>>", "\n", "Gold label: NO", "a"))
BLOCK = st.lists(FENCES | st.text(max_size=8)).map("".join)


@FAST
@given(BLOCK, BLOCK, BLOCK)
def test_what_is_quoted_to_the_judge_comes_back_and_nothing_gets_out(prompt: str, a: str, b: str) -> None:
    user = judge(prompt, "YES", a, "NO", b, None, "D1")[-1]["content"]
    assert quoted(user) == {"PROMPT": prompt, "MODEL A": a, "MODEL B": b}
    code = fence_code(prompt, a, b)
    assert fenced("PROMPT", prompt, code) in user
    assert not any(code in text for text in (prompt, a, b))


@FAST
@given(st.text(max_size=60))
@example("\u202e\u200b\x1b[2J\ufeff\u2066\U000e0041")
def test_every_rendering_shows_all_of_a_text_and_nothing_of_it_is_markup(text: str) -> None:
    seen = visible(text)
    assert visible(seen) == seen
    assert all(c in "\n\t" or ord(c) >= 32 for c in seen)
    assert latex_escape(text).isascii()
    row = escaped(text)
    assert "\n" not in row
    unescaped = "".join(row.split("\\\\"))
    assert not any(f"{c}" in unescaped.replace(f"\\{c}", "") for c in "|<>[]`*_$")
    first, *body, last = code_block(text)
    assert first == f"{last}text"
    assert last not in "\n".join(body)
    assert shown(text).count("\x1b") == 0
    assert len(short(text)) < 1000


@FAST
@given(st.text(max_size=30))
def test_prompts_that_differ_in_case_and_blanks_are_one(text: str) -> None:
    assert same_prompt(f"  {text}\n") == same_prompt(text)
    assert same_prompt(same_prompt(text)) == same_prompt(text) or not text.isascii()
