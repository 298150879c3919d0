"""The tokenizers: one BOS, fixed sentences as one token, round trips, and a classifier that sees no marker."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from dart.core.records import SEVERITIES
from dart.prompts.classification import inference
from dart.simulation import sentences
from dart.simulation.tokenizer import (
    ASSISTANT,
    BOS,
    END,
    FIXED_SENTENCES,
    PAD,
    VOCABULARY,
    classifier_tokenizer,
    student_tokenizer,
)
from dart.student.template import ChatTemplate

TEXTS = [f"In {year}, which of the {word} had more? (a) one (b) two" for year in range(2000, 2100) for word in "xyz"]


@cache
def student() -> Any:
    return student_tokenizer([*TEXTS, *sentences.all_sentences()])


@cache
def classifier() -> Any:
    return classifier_tokenizer([*TEXTS, *sentences.all_sentences()])


def test_the_fixed_part_of_the_prompt_is_two_tokens() -> None:
    ids = ChatTemplate(student()).prompt_ids(inference("A question?"))
    words = student().convert_ids_to_tokens(ids)
    assert [word for word in words if word in FIXED_SENTENCES] == list(FIXED_SENTENCES)
    assert len(ids) < 16


def test_a_prompt_has_one_bos_and_ends_where_the_answer_begins() -> None:
    ids = ChatTemplate(student()).prompt_ids(inference("A question?"))
    words = student().convert_ids_to_tokens(ids)
    assert words.count(BOS) == 1
    assert words[0] == BOS
    assert words[-1] == ASSISTANT


def test_an_answer_is_ended_by_eos_which_is_not_the_padding() -> None:
    template = ChatTemplate(student())
    row = template.row_ids(inference("A question?"), "An answer.\nConclusion: YES", max_length=512)
    assert row.ids[-1] == template.end_of_turn == student().eos_token_id
    assert student().eos_token != student().pad_token == PAD
    assert student().decode(row.ids[row.n_prompt :], skip_special_tokens=True) == "An answer.\nConclusion: YES"


def test_an_end_of_turn_inside_a_question_is_text() -> None:
    ids = ChatTemplate(student()).prompt_ids(inference(f"A {END} question {BOS}?"))
    assert ids.count(student().eos_token_id) == 2  # of the system's and the user's turn
    assert ids.count(student().bos_token_id) == 1


@pytest.mark.parametrize("text", ["plain", "ümläut – “quotes” 😀\tand\n\nlines", "[severe] a  b", *FIXED_SENTENCES])
def test_any_text_survives_the_round_trip(text: str) -> None:
    ids = student()(text, add_special_tokens=False).input_ids
    assert student().decode(ids, skip_special_tokens=True) == text


def test_the_size_is_bounded_and_sentences_of_the_bank_are_short() -> None:
    assert len(student()) <= VOCABULARY
    lengths = [len(student()(text, add_special_tokens=False).input_ids) for text in sentences.all_sentences()]
    assert max(lengths) < 40


def test_the_same_texts_in_another_order_give_the_same_bytes(tmp_path: Path) -> None:
    for name, texts in (("one", TEXTS), ("two", TEXTS[::-1])):
        student_tokenizer(texts).save_pretrained(tmp_path / name)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_classifier_sees_no_marker(severity: str) -> None:
    bare = "One sentence. Another one."
    marked = f"One sentence. [{severity}] Another one."
    assert classifier()(marked).input_ids == classifier()(bare).input_ids
    assert classifier()("One sentence. [very] Another one.").input_ids != classifier()(bare).input_ids


def test_the_classifier_still_sees_no_marker_after_loading(tmp_path: Path) -> None:
    classifier().save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded("One [extreme].").input_ids == loaded("One.").input_ids
    assert loaded("One.").input_ids[0] == loaded.cls_token_id


def test_a_whole_word_is_one_token_behind_its_space_and_part_of_no_other() -> None:
    tokenizer = student_tokenizer(["All is well. Alloys are not."] * 3, size=400, words=("All",))
    [token] = tokenizer(" All", add_special_tokens=False).input_ids
    text = "Yes. All Alloys. All of it."
    ids = tokenizer(text, add_special_tokens=False).input_ids
    assert ids.count(token) == 2
    assert tokenizer.decode(ids) == text
