"""The common prefix of prompts is computed once, which changes nothing else about a loss, a gradient or a text."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import DynamicCache

from dart.core.records import Item, TrainingRow
from dart.core.schema.method import GenerationParams, Lora, Training
from dart.prompts import classification
from dart.student import adapter, generation, train
from dart.student.generation import generate
from dart.student.loading import load
from dart.student.prefix import MIN_PREFIX_TOKENS, GrowingLayer, common_prefix_length
from dart.student.train import train_adapter
from tests.support.tiny_models import FAMILIES, spec

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def instructed(rows: list[TrainingRow]) -> list[TrainingRow]:
    """Rows that begin as those of the experiment do, with its instruction."""
    return [
        row.model_copy(update={"messages": tuple(classification.inference(row.messages[-1]["content"]))})
        for row in rows[:8]
    ]


def test_the_common_beginning_leaves_each_prompt_a_token() -> None:
    same = list(range(MIN_PREFIX_TOKENS + 8))
    assert common_prefix_length([[*same, 1, 2], [*same, 3], [*same, 1]]) == len(same)
    assert common_prefix_length([[*same, 1], same]) == len(same) - 1
    assert common_prefix_length([same[:MIN_PREFIX_TOKENS], same]) == 0  # too short to be worth it
    assert common_prefix_length([same]) == 0


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_training_is_the_same_with_and_without_a_shared_prefix(
    family: str, bases: dict[str, Path], instructed: list[TrainingRow], lora: Lora, training: Training,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    plain = lora.model_copy(update={"dropout": 0.0})  # another number of units would be dropped
    lengths: list[int] = []

    def counted(prompts: list[list[int]]) -> int:
        lengths.append(common_prefix_length(prompts))
        return lengths[-1]

    monkeypatch.setattr(train, "common_prefix_length", counted)
    train_adapter(bases[family], spec(), instructed, plain, training, 1, tmp_path / "shared")
    assert lengths[0] >= MIN_PREFIX_TOKENS
    monkeypatch.setattr(train, "common_prefix_length", lambda _prompts: 0)
    train_adapter(bases[family], spec(), instructed, plain, training, 1, tmp_path / "whole")
    shared, whole = (load_file(tmp_path / name / adapter.WEIGHTS) for name in ("shared", "whole"))
    for name, weight in whole.items():
        assert torch.allclose(weight, shared[name], atol=2e-4), name  # 4 steps of 0.005 apart from where they began


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_answers_are_the_same_with_and_without_a_shared_prefix(
    family: str, bases: dict[str, Path], items: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoding = GenerationParams(max_new_tokens=80, temperature=0.0, top_p=1.0)  # beyond a buffer's room
    shared = generate(bases[family], spec(), {"base": None}, items, decoding, 1)
    ids = [load(bases[family], spec()).template.prompt_ids(classification.inference(item.prompt)) for item in items]
    assert common_prefix_length(ids) >= MIN_PREFIX_TOKENS
    monkeypatch.setattr(generation, "common_prefix_length", lambda _prompts: 0)
    assert generate(bases[family], spec(), {"base": None}, items, decoding, 1) == shared


def test_a_growing_layer_holds_what_a_dynamic_one_holds() -> None:
    torch.manual_seed(0)
    ours, reference = DynamicCache(), DynamicCache()
    ours.layers = [GrowingLayer()]
    for length in (5, 1, 70, 1, 1):
        new = [torch.randn(ours.layers[0].keys.shape[0] if length == 1 else 3, 2, length, 4) for _ in range(2)]
        assert all(torch.equal(a, b) for a, b in zip(ours.update(*new, 0), reference.update(*new, 0), strict=True))
    for cache in (ours, reference):
        cache.batch_select_indices(torch.tensor([2, 0]))
    new = [torch.randn(2, 2, 1, 4) for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(ours.update(*new, 0), reference.update(*new, 0), strict=True))
    assert ours.get_seq_length() == reference.get_seq_length() == 79
