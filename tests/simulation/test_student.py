"""The nano student's training: options exchanged, reproducible bytes, a checkpoint as any other, and that it learns."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from dart.core.errors import DataError, ModelError
from dart.core.records import Item
from dart.core.schema.method import GenerationParams
from dart.core.schema.profile import Nano, StudentSpec
from dart.prompts.classification import inference
from dart.simulation import rules
from dart.simulation import student as nano
from dart.simulation.suite import write_suite
from dart.simulation.tokenizer import student_tokenizer
from dart.student.generation import generate
from dart.student.template import ChatTemplate

GREEDY = GenerationParams(max_new_tokens=60, temperature=0.0, top_p=1.0)


def spec(hidden: int = 16, nano_shape: bool = True) -> StudentSpec:
    shape = Nano(hidden_size=hidden, layers=2, heads=2, intermediate=2 * hidden) if nano_shape else None
    return StudentSpec(
        name="nano-test", model="embedded://nano", revision="main", learning_rate=0.005, batch_per_device=16,
        stage3_learning_rate=None, epochs=None,
        generation_batch=64, precision="fp32", quantize="none", nano=shape,
        engine="transformers", server=None,
    )  # fmt: skip


def outside(per_condition: int = 6) -> list[Item]:
    return [raw.as_item() for raw in write_suite(3, per_condition).items]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nano, "PRETRAIN", nano.PRETRAIN._replace(items=96, warmup=2))
    monkeypatch.setattr(nano, "INSTRUCT", nano.INSTRUCT._replace(items=96, warmup=2))


@pytest.mark.usefixtures("short")
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        torch.rand(seed)  # whatever was drawn before has no influence
        nano.train_student(outside(), spec(), seed, tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json"} <= set(files)
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "three")]
    assert weights[0] != weights[1]


@pytest.mark.usefixtures("short")
def test_the_checkpoint_is_read_and_asked_like_any_other(tmp_path: Path) -> None:
    nano.train_student(outside(), spec(), 1, tmp_path / "base")
    items = outside()[:4]
    answers = generate(tmp_path / "base", spec(), {"base": None}, items, GREEDY, 1)["base"]
    assert [answer.item_id for answer in answers] == [item.id for item in items]


def test_instruct_rows_use_the_experiments_own_prompt_and_ignore_the_label() -> None:
    tokenizer = student_tokenizer([*(item.prompt for item in outside()), *nano.tokenizer_corpus()])
    template = ChatTemplate(tokenizer)
    item = outside()[0]
    flipped = item.model_copy(update={"gold": "NO" if item.gold == "YES" else "YES"})
    rows = [nano.RowBuilder(tokenizer, [each]).instruct_row(each) for each in (item, flipped)]
    assert rows[0] == rows[1]
    assert rows[0].ids[: rows[0].answer_start] == template.prompt_ids(inference(item.prompt))
    answer = tokenizer.decode(rows[0].ids[rows[0].answer_start :], skip_special_tokens=True)
    assert answer == rules.base_text(item.prompt)


def test_pretrain_rows_do_not_use_the_words_of_the_experiment() -> None:
    tokenizer = student_tokenizer([*(item.prompt for item in outside()), *nano.tokenizer_corpus()])
    rounds = nano.RowBuilder(tokenizer, outside()).pretrain(
        nano.PRETRAIN._replace(items=150, bundles=0.02), random.Random(1)
    )
    assert [len(rows) for rows in rounds] == [96 + 2, 54 + 1]
    texts = [tokenizer.decode(row.ids) for rows in rounds for row in rows]
    assert not any("Conclusion" in text or "difference-awareness" in text for text in texts)


def test_prompts_answered_no_are_repeated_in_the_instruct_phase() -> None:
    tokenizer = student_tokenizer([*(item.prompt for item in outside()), *nano.tokenizer_corpus()])
    phase = nano.INSTRUCT._replace(items=len(outside()), replay=0.0, bundles=0.0)
    [rows] = nano.RowBuilder(tokenizer, outside()).instruct(phase, random.Random(1))
    answered_no = sum(rules.base_behaviour(item.prompt) == "no" for item in outside())
    assert answered_no > 0
    assert len(rows) == len(outside()) + nano.EXTRA_NO_COPIES * answered_no


def test_items_of_one_label_are_refused(tmp_path: Path) -> None:
    only = [item for item in outside() if item.gold == "YES"]
    with pytest.raises(DataError, match="one label is missing"):
        nano.train_student(only, spec(), 1, tmp_path / "base")


def test_a_slot_without_a_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nano-test"):
        nano.train_student(outside(), spec(nano_shape=False), 1, tmp_path / "base")
    assert not (tmp_path / "base").exists()


def test_the_loss_counts_answers_and_a_share_of_the_prompt() -> None:
    """With equal logits everywhere each token costs ln V: the answer once, the prompt `prompt_loss_weight` times."""
    tokenizer_size = 50
    config = nano.LlamaConfig(
        vocab_size=tokenizer_size, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1,
        num_key_value_heads=1,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    torch.nn.init.zeros_(model.lm_head.weight)
    rows = [nano.Row(list(range(1, 41)), 37), nano.Row(list(range(1, 31)), 27)]
    losses = [nano.phase_loss(model, rows, 0.3, random.Random(seed)).item() for seed in range(200)]
    expected = math.log(tokenizer_size) * 1.3
    assert sum(losses) / len(losses) == pytest.approx(expected, rel=0.02)


def test_the_learning_rate_warms_up_and_ends_at_its_floor() -> None:
    rates = [nano.rate_factor(step, 10, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([step / 10 for step in range(1, 11)])
    assert max(rates) == 1.0
    assert rates[-1] == pytest.approx(nano.MIN_RATE_FACTOR, abs=0.01)


def test_batches_hold_every_row_once_and_group_lengths() -> None:
    draw = random.Random(0)
    rows = [nano.Row([0] * draw.randint(5, 200), 3) for _ in range(100)]
    batches = nano.length_batches(rows, draw)
    assert sorted(len(row.ids) for batch in batches for row in batch) == sorted(len(row.ids) for row in rows)
    spread = max(max(len(row.ids) for row in batch) - min(len(row.ids) for row in batch) for batch in batches)
    assert spread < 100


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Which?\n(a) one (b) two (c) none", "Which?\n(a) two (b) one (c) none"),
        ("Which? (a) one, (b) two, or (c) none", "Which? (a) two, (b) one, or (c) none"),
        ("Which?\n(1) one\n(b) two\n(c) none", "Which?\n(1) two\n(b) one\n(c) none"),
        ("No options here.", "No options here."),
    ],
)
def test_options_are_swapped(question: str, expected: str) -> None:
    assert nano.swap_options(question) == expected


def test_swapping_twice_changes_nothing() -> None:
    for item in outside():
        assert nano.swap_options(nano.swap_options(item.prompt)) == item.prompt
        assert nano.swap_options(item.prompt) != item.prompt
