"""Training and inference give a model the same prompt, in the model's own layout (published fault 8)."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from dart.core.errors import DataError, ModelError
from dart.prompts import classification
from dart.student import template_probe
from dart.student.loading import load
from dart.student.template import ChatTemplate
from tests.support.tiny_models import FAMILIES, spec, tokenizer

MESSAGES = classification.inference("Which group of people may apply?")
RESPONSE = "The law treats the groups differently.\nConclusion: YES"


@pytest.fixture(params=sorted(FAMILIES))
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_training_and_inference_have_the_same_prompt_ids(family: str) -> None:
    template = ChatTemplate(tokenizer(family))
    row = template.row_ids(MESSAGES, RESPONSE, max_length=2048)
    assert row.ids[: row.n_prompt] == template.prompt_ids(MESSAGES)


def test_exactly_one_bos_where_the_family_has_one(family: str) -> None:
    words = tokenizer(family)
    ids = ChatTemplate(words).prompt_ids(MESSAGES)
    if words.bos_token_id is None:
        assert words.decode(ids).startswith("<|im_start|>")
    else:
        assert ids.count(words.bos_token_id) == 1
        assert ids[0] == words.bos_token_id


@pytest.mark.parametrize("written", [0, 2])
def test_bos_is_one_even_if_the_template_forgets_or_doubles_it(written: int) -> None:
    words = tokenizer("llama")
    words.chat_template = words.chat_template.replace("{{ bos_token }}", "{{ bos_token }}" * written)
    assert ChatTemplate(words).prompt_ids(MESSAGES).count(words.bos_token_id) == 1


def test_a_template_that_writes_the_day_writes_the_same_day_every_day() -> None:
    """As Llama-3.1 to 3.3 do: today's date, unless the caller names one."""
    words = tokenizer("llama")
    day = "{%- if not date_string is defined %}{%- set date_string = strftime_now('%d %b %Y') %}{%- endif %}"
    words.chat_template = day + "Today Date: {{ date_string }}\n" + words.chat_template
    text = words.decode(ChatTemplate(words).prompt_ids(MESSAGES))
    assert "Today Date: 26 Jul 2024" in text


def test_the_answer_is_supervised_up_to_the_end_of_its_turn(family: str) -> None:
    words = tokenizer(family)
    row = ChatTemplate(words).row_ids(MESSAGES, RESPONSE, max_length=2048)
    end = FAMILIES[family].end_of_turn
    assert words.decode(row.ids[row.n_prompt :]).strip() == RESPONSE + end
    assert row.ids[-1] == words.convert_tokens_to_ids(end)


def test_a_system_text_is_kept_whether_or_not_there_is_a_system_role(family: str) -> None:
    words = tokenizer(family)
    template = ChatTemplate(words)
    assert template.system_role is FAMILIES[family].system_role
    text = words.decode(template.prompt_ids(MESSAGES))
    assert MESSAGES[0]["content"] in text
    assert text.index(MESSAGES[0]["content"]) < text.index(MESSAGES[1]["content"])


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("{% for message in messages %}{{ message['content'].no_such_thing.at_all }}{% endfor %}", "UndefinedError"),
        ("{% for message in messages %}{{ message['content'] }", "TemplateSyntaxError"),
        ("{{ messages[0]['content'] + 1 }}", "TypeError"),
        ("{{ ''.__class__.__mro__ }}", "SecurityError"),
        ("{{ messages[0]['content'] | no_such_filter }}", "no_such_filter"),
        ("", "no chat template"),
        ("You are an assistant.", "renders a question without the question"),
        ("{% if false %}{% for m in messages %}{{ m['content'] }}{% endfor %}{% endif %}", "without the question"),
        ("{{ messages[0]['content'] }}", "without the answer"),
        ("{% for m in messages %}{{ m['content'] * 5000 }}{% endfor %}", "characters"),
        ("{{ 'x' * 100000000000 }}", "memory|MemoryError"),
        ("{% set ns = namespace(a='x' * 100000000) %}{% for i in range(99) %}{% set ns.a = ns.a ~ ns.a %}{% endfor %}",
         "memory"),
        ("{% for m in messages %}{% if m['role'] == 'system' %}{{ m.a.b }}{% endif %}{{ m['content'] }}{% endfor %}",
         "UndefinedError"),
    ],
)  # fmt: skip
def test_a_broken_template_is_refused_with_its_file(broken: str, message: str, tmp_path: Path) -> None:
    words = tokenizer("llama")
    words.save_pretrained(tmp_path)
    (tmp_path / "chat_template.jinja").write_text(broken, encoding="utf-8")
    words = AutoTokenizer.from_pretrained(tmp_path)
    with pytest.raises(ModelError, match=message) as error:
        ChatTemplate(words)
    assert str(tmp_path) in str(error.value)


def test_a_template_without_an_end_is_refused_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_probe, "TIME_S", 0.5)
    words = tokenizer("llama")
    words.chat_template = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    start = time.monotonic()
    with pytest.raises(ModelError, match=r"does not end: 0\.5 s"):
        ChatTemplate(words)
    assert time.monotonic() - start < 5
    assert not multiprocessing.active_children()


def test_control_tokens_in_a_question_are_text(family: str) -> None:
    words = tokenizer(family)
    end = words.convert_tokens_to_ids(FAMILIES[family].end_of_turn)
    plain = ChatTemplate(words).prompt_ids([{"role": "user", "content": "Prompt: x"}])
    attack = ChatTemplate(words).prompt_ids([{"role": "user", "content": f"Prompt: {FAMILIES[family].end_of_turn} x"}])
    assert attack.count(end) == plain.count(end)


def test_a_long_prompt_loses_its_beginning_and_the_answer_nothing() -> None:
    template = ChatTemplate(tokenizer("llama"))
    whole = template.row_ids(MESSAGES, RESPONSE, max_length=2048)
    answer = whole.ids[whole.n_prompt :]
    cut = template.row_ids(MESSAGES, RESPONSE, max_length=len(answer) + 10)
    assert len(cut.ids) == len(answer) + 10
    assert cut.ids[cut.n_prompt :] == answer
    assert cut.ids[1 : cut.n_prompt] == whole.ids[whole.n_prompt - 9 : whole.n_prompt]
    assert cut.ids[0] == whole.ids[0]  # BOS stays


def test_an_answer_that_does_not_fit_is_an_error_that_names_its_row() -> None:
    with pytest.raises(DataError, match=r"D1-DIFF-7.*never truncated"):
        ChatTemplate(tokenizer("llama")).row_ids(MESSAGES, RESPONSE * 20, max_length=64, key="D1-DIFF-7")


def test_a_row_without_an_answer_is_an_error() -> None:
    with pytest.raises(DataError, match="nothing of this row would be supervised"):
        ChatTemplate(tokenizer("llama")).row_ids(MESSAGES, " \n", max_length=64)


def test_a_tokenizer_without_a_template_is_refused() -> None:
    words = tokenizer("llama")
    words.chat_template = None
    with pytest.raises(ModelError, match="no chat template"):
        ChatTemplate(words)


def test_padding_is_never_a_token_that_ends_an_answer(family: str, bases: dict[str, Path]) -> None:
    student = load(bases[family], spec())
    assert student.pad_id not in student.stop_ids
    assert student.template.end_of_turn in student.stop_ids
    assert student.tokenizer.eos_token_id in student.stop_ids
    assert student.model.get_input_embeddings().weight.shape[0] == 512  # nothing was added
