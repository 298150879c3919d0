"""What is wrong with a file is named by file and row, and never quoted."""

from __future__ import annotations

import json

import pytest

from dart.core.errors import DataError
from dart.external.items import SUITES, SuiteName
from dart.external.loaders import HATECHECK_FILE, HOLISTICBIAS_FILE, level, load_suite
from dart.simulation.external_suites import embedded_files


def hatecheck_with(row: str) -> dict[str, bytes]:
    header = ",functionality,case_id,test_case,label_gold,target_ident\r\n"
    good = '0,ident_pos_nh,1,"One, two.",non-hateful,Velans\r\n'
    return {HATECHECK_FILE: (header + good + row).encode()}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("1,derog_dehum_h,2,Secret.,hateful\r\n", "row 3: the number of fields differs"),
        ("1,derog_dehum_h,2,Secret.,hateful,Velans,more\r\n", "row 3: the number of fields differs"),
        ("1,derog_dehum_h,2,Secret.,Hateful,Velans\r\n", "row 3: label_gold must be hateful or non-hateful"),
        ("1,derog_dehum_h,2,Secret.,non-hateful,Velans\r\n", "row 3: functionality derog_dehum_h does not agree with"),
        ("1,derog_dehum_h,2, ,hateful,Velans\r\n", "row 3: expected a text"),
        ("1,,2,Secret.,hateful,Velans\r\n", "row 3: expected a text"),
        ('1,derog_dehum_h,2,"Secret.', "row 3: not CSV"),
        ("1,ident_pos_nh,1,Secret.,non-hateful,Velans\r\n", "the id hatecheck-1 occurs twice"),
    ],
)
def test_a_wrong_row_of_hatecheck_is_named(row: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem) as caught:
        load_suite("hatecheck", hatecheck_with(row))
    assert "Secret" not in str(caught.value)


def test_a_hatecheck_without_its_columns_is_refused() -> None:
    with pytest.raises(DataError, match="row 1: there is no column label_gold, target_ident"):
        load_suite("hatecheck", {HATECHECK_FILE: b"functionality,case_id,test_case\n"})


def test_a_quoted_comma_stays_in_the_prompt() -> None:
    [case] = load_suite("hatecheck", hatecheck_with(""))
    assert (case.prompt, case.groups, case.hateful) == ("One, two.", ("Velans",), False)


@pytest.mark.parametrize("suite", SUITES)
def test_a_file_cut_in_the_middle_is_refused(suite: SuiteName) -> None:
    files = embedded_files(suite, 42)
    last = list(files)[-1]
    half = files[last].rindex(b"hateful") + 3 if suite == "hatecheck" else len(files[last]) // 2
    with pytest.raises(DataError, match=rf"{last}, row \d+: "):
        load_suite(suite, {**files, last: files[last][:half]})


@pytest.mark.parametrize("suite", SUITES)
def test_a_missing_file_and_one_of_another_encoding_are_named(suite: SuiteName) -> None:
    files = embedded_files(suite, 42)
    last = list(files)[-1]
    with pytest.raises(DataError, match=f"{last} is missing"):
        load_suite(suite, {name: content for name, content in files.items() if name != last})
    with pytest.raises(DataError, match=rf"{last}, row 2: not UTF-8"):
        load_suite(suite, {**files, last: files[last].replace(b"\n", b"\n\xff", 1)})


def test_a_prompt_of_two_dimensions_is_one_item_of_both() -> None:
    empty = dict.fromkeys(embedded_files("bold", 1), b"{}")
    files = {
        **empty,
        "gender_prompt.json": json.dumps({"a": {"x": ["Shared.", "Alone."]}}).encode(),
        "race_prompt.json": json.dumps({"b": {"y": ["", "Shared."]}}).encode(),
    }
    items = load_suite("bold", files)
    assert [(item.id, item.groups) for item in items] == [
        ("bold-gender-0", ("gender", "race")), ("bold-gender-1", ("gender",))]  # fmt: skip
    assert [item.group for item in items] == [None, "gender"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [({"a": {"x": "Secret."}}, "group 0, entity 0: expected a list of prompts, found a text of 7 characters"),
     ({"a": ["Secret."]}, "group 0: expected a JSON object, found a list of 1"),
     ({"a": {"x": ["One.", 3]}}, "group 0, entity 0, prompt 1: expected a text, found a int")],
)  # fmt: skip
def test_a_wrong_shape_of_bold_is_named(content: object, problem: str) -> None:
    files = {**embedded_files("bold", 1), "race_prompt.json": json.dumps(content).encode()}
    with pytest.raises(DataError, match=f"race_prompt.json, {problem}") as caught:
        load_suite("bold", files)
    assert "Secret" not in str(caught.value)


def test_noun_phrases_are_texts_or_objects_and_the_slots_are_filled() -> None:
    content = {"age": ["{article} {noun} of middle age", {"noun_phrase": "a {noun}", "plural_noun_phrase": "x"}]}
    items = load_suite("holisticbias", {HOLISTICBIAS_FILE: json.dumps(content).encode()})
    assert [item.prompt for item in items] == ["a person of middle age", "a person"]
    with pytest.raises(DataError, match="age, entry 0: has a slot other than"):
        load_suite("holisticbias", {HOLISTICBIAS_FILE: b'{"age": ["{someone}"]}'})
    with pytest.raises(DataError, match="age, entry 1: expected a text"):
        load_suite("holisticbias", {HOLISTICBIAS_FILE: b'{"age": ["a person", {"plural_noun_phrase": "people"}]}'})


@pytest.mark.parametrize("toxicity", ["null", "1.5", "true", '"0.5"'])
def test_a_row_without_a_valid_toxicity_is_named(toxicity: str) -> None:
    row = b'{"prompt": {"text": "Secret.", "toxicity": %s}}\n' % toxicity.encode()
    files = {**embedded_files("realtoxicityprompts", 1), "nontoxic.jsonl": row}
    with pytest.raises(DataError, match=r"nontoxic.jsonl, row 1: the prompt's toxicity") as caught:
        load_suite("realtoxicityprompts", files)
    assert "Secret" not in str(caught.value)


def test_the_text_of_the_prompt_is_asked_and_not_its_record() -> None:
    """The published code sent the whole record as text."""
    row = b'{"prompt": {"text": "Once upon", "toxicity": 0.3}, "continuation": {"text": " a time"}}\n'
    [item] = load_suite("realtoxicityprompts", {"toxic.jsonl": row, "nontoxic.jsonl": row})[:1]
    assert (item.prompt, item.group, item.input_toxicity) == ("Once upon", "[.25, .5)", 0.3)


def test_levels_of_input_toxicity_are_quarters() -> None:
    assert [level(x) for x in (0, 0.25, 0.5, 0.75, 1.0)] == ["[0, .25)", "[.25, .5)", "[.5, .75)", "[.75, 1]",
                                                            "[.75, 1]"]  # fmt: skip


def test_an_item_is_asked_by_its_prompt() -> None:
    [case] = load_suite("hatecheck", hatecheck_with(""))
    assert (case.as_item().id, case.as_item().prompt) == (case.id, case.prompt)
