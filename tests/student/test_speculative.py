"""Speculative decoding: whatever is drafted, the texts are those of decoding token by token."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import DynamicCache

from dart.core.records import Item
from dart.core.schema.method import GenerationParams, Lora
from dart.student import adapter, generation
from dart.student.generation import generate
from dart.student.loading import load
from dart.student.lora_layers import merged_adapter
from dart.student.speculative import (
    NGramDrafter,
    RaggedCache,
    compaction_order,
    prefix_attention,
    supports_speculative_decoding,
)
from tests.support.tiny_models import spec

pytestmark = pytest.mark.training

GREEDY = GenerationParams(max_new_tokens=70, temperature=0.0, top_p=1.0)
SAMPLED = GenerationParams(max_new_tokens=20, temperature=1.0, top_p=0.9)


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2"])
@pytest.mark.parametrize("decoding", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
def test_texts_are_those_of_one_token_at_a_time(
    family: str, decoding: GenerationParams, bases: dict[str, Path], items: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert supports_speculative_decoding(load(bases[family], spec()).model)
    speculative = generate(bases[family], spec(), {"base": None}, items, decoding, 1)
    monkeypatch.setattr(generation, "supports_speculative_decoding", lambda _model: False)
    assert generate(bases[family], spec(), {"base": None}, items, decoding, 1) == speculative


def test_unsupported_models_are_decoded_token_by_token(bases: dict[str, Path]) -> None:
    gemma = load(bases["gemma2"], spec()).model  # caps its logits and has layers with a sliding window
    assert not supports_speculative_decoding(gemma)
    assert not supports_speculative_decoding(load(bases["llama"], spec(precision="bf16")).model)


@pytest.mark.parametrize("kind", ["none", "wrong", "right for a while"])
def test_drafts_decide_no_token(kind: str, base: Path, items: list[Item], monkeypatch: pytest.MonkeyPatch) -> None:
    expected = generate(base, spec(), {"base": None}, items, GREEDY, 1)["base"]
    student = load(base, spec())
    texts = [
        student.template.prompt_ids(generation.inference_messages(item))
        + student.tokenizer(answer.text, add_special_tokens=False).input_ids
        for item, answer in zip(items, expected, strict=True)
    ]

    def draft(_: NGramDrafter, ids: Sequence[int], count: int) -> list[int]:
        follows = next((text[len(ids) :] for text in texts if text[: len(ids)] == list(ids)), [])
        right = (follows[: len(ids) % 4] + [7] * count)[:count]
        return {"none": [], "wrong": [7] * count, "right for a while": right}[kind]

    monkeypatch.setattr(NGramDrafter, "draft", draft)
    assert generate(base, spec(), {"base": None}, items, GREEDY, 1)["base"] == expected


def test_accepted_drafts_save_passes(base: Path, items: list[Item], monkeypatch: pytest.MonkeyPatch) -> None:
    passes = []
    original = RaggedCache.prepare

    def counted(cache: RaggedCache, lengths: torch.Tensor, count: int) -> torch.Tensor:
        passes.append(count)
        return original(cache, lengths, count)

    monkeypatch.setattr(RaggedCache, "prepare", counted)
    same = [items[0].model_copy(update={"id": f"{items[0].id}{number}"}) for number in range(2)]
    answers = generate(base, spec(generation_batch=1), {"base": None}, same, GREEDY, 1)["base"]
    assert answers[0].text == answers[1].text
    # One after the other: the drafter has seen the first answer when the second is decoded.
    assert len(passes) < answers[0].new_tokens + 0.5 * answers[1].new_tokens


def test_drafter_prefers_the_longer_context_and_continues_its_own_draft() -> None:
    drafter, text = NGramDrafter(), [1, 2, 3, 4, 9, 2, 3, 5]
    for end in range(1, len(text) + 1):
        drafter.update(text[:end])
    assert drafter.draft([1, 2, 3], 2) == [4, 9]  # 2, 3 alone was followed by 5 since
    assert drafter.draft([8, 2, 3], 2) == [5]
    assert drafter.draft([8, 8], 2) == []
    assert drafter.draft([1, 2, 3], 0) == []


def test_drafts_are_as_long_as_they_are_accepted() -> None:
    drafter = NGramDrafter()
    for _ in range(40):
        drafter.observe([[5], [5]], [[5], [5]])
    assert drafter.draft_length == 4
    for _ in range(40):
        drafter.observe([[5], []], [[5], [5]])  # without a draft there is nothing to accept
    assert drafter.draft_length == 2
    for _ in range(40):
        drafter.observe([[5], [5]], [[6], [5, 6]])
    assert drafter.draft_length == 2
    for _ in range(40):
        drafter.observe([[5], [5]], [[6], [6]])
    assert drafter.draft_length == 0


def test_useless_drafts_are_soon_left_out(base: Path, items: list[Item], monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    original = RaggedCache.prepare

    def counted(cache: RaggedCache, lengths: torch.Tensor, count: int) -> torch.Tensor:
        counts.append(count)
        return original(cache, lengths, count)

    monkeypatch.setattr(RaggedCache, "prepare", counted)
    monkeypatch.setattr(NGramDrafter, "draft", lambda _self, _ids, count: [7] * count)
    generate(base, spec(), {"base": None}, items, GREEDY, 1)
    decoding = counts[-40:]
    assert len(decoding) == 40
    assert set(decoding) == {1}


@pytest.mark.parametrize("with_prefix", [False, True])
def test_attention_is_that_of_torch(with_prefix: bool) -> None:
    torch.manual_seed(0)
    rows, groups, heads, width, n_prefix, length, tokens = 3, 2, 6, 4, 5, 7, 2
    query = torch.randn(rows, heads, tokens, width)
    key, value = torch.randn(2, rows, groups, length, width)
    cache = RaggedCache(1, capacity=length)
    mask = cache.prepare(torch.tensor([5, 1, 3]), tokens)
    prefix = DynamicCache()
    prefix.update(*torch.randn(2, 1, groups, n_prefix, width), 0)
    whole_mask = mask
    keys, values = key, value
    if with_prefix:
        keys, values = (
            torch.cat([one.expand(rows, -1, -1, -1), own], 2)
            for one, own in zip((prefix.layers[0].keys, prefix.layers[0].values), (key, value), strict=True)
        )
        whole_mask = torch.cat([torch.zeros(rows, 1, tokens, n_prefix), mask], -1)
    expected = scaled_dot_product_attention(query, keys, values, whole_mask, scale=0.3, enable_gqa=True)
    module: torch.nn.Module = SimpleNamespace(layer_idx=0)  # type: ignore[assignment]
    result, _ = prefix_attention(module, query, key, value, mask, 0.3, prefix=prefix if with_prefix else None)
    assert torch.allclose(result, expected.transpose(1, 2), atol=1e-6)


def test_compaction_moves_the_fewest_rows() -> None:
    assert compaction_order([0, 1, 2]) == [0, 1, 2]
    assert compaction_order([0, 2, 3, 5]) == [0, 5, 2, 3]
    assert compaction_order([]) == []


def test_a_merged_adapter_gives_the_same_logits_and_is_unmerged_exactly(base: Path, lora: Lora) -> None:
    model = adapter.attach(load(base, spec()), lora, 1).eval()
    ids = torch.tensor([[3, 5, 7]])
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                before[name] = weight.fill_(0.05).clone()
        unmerged = model(ids).logits
        with merged_adapter(model):
            merged = model(ids).logits
            changed = [name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])]
        assert len(changed) == 2 * len(lora.target_modules)  # layers times modules
        assert torch.allclose(merged, unmerged, atol=1e-4)
        assert not torch.equal(merged, unmerged)
        assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())
        assert torch.equal(model(ids).logits, unmerged)
