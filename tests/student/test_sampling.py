"""Draws from a large vocabulary: the tokens of the full computation, from a small part of the work."""

from __future__ import annotations

import pytest
import torch

from dart.core.schema.method import GenerationParams
from dart.student import sampling

VOCABULARY = 128_256


def like_a_language_model(rows: int, seed: int, scale: float = 1.0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Logits whose probabilities fall off as those of a language model do: few likely tokens and a long tail."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, VOCABULARY, generator=generator) * scale
    likely = torch.randint(0, VOCABULARY, (rows, 40), generator=generator)
    logits.scatter_add_(1, likely, torch.linspace(14.0, 4.0, 40).expand(rows, -1).clone())
    return logits.to(dtype)


def params(temperature: float, top_p: float) -> GenerationParams:
    return GenerationParams(max_new_tokens=1, temperature=temperature, top_p=top_p)


def in_full(logits: torch.Tensor, keys: list[tuple[int, ...]], decoding: GenerationParams) -> torch.Tensor:
    draws = torch.tensor([sampling.unit_interval("decode", *key) for key in keys], dtype=torch.float64)
    return sampling._nucleus_sample(logits, draws, decoding)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])  # bf16: many equal logits
@pytest.mark.parametrize(("temperature", "top_p"), [(0.2, 0.95), (1.0, 0.9), (1.0, 1.0), (2.0, 1.0)])
def test_tokens_are_those_of_the_sorted_distribution(temperature: float, top_p: float, dtype: torch.dtype) -> None:
    logits = like_a_language_model(12, seed=1, dtype=dtype)
    keys: list[tuple[int, ...]] = [(number,) for number in range(12)]
    decoding = params(temperature, top_p)
    assert sampling.choose_tokens(logits, keys, decoding).tolist() == in_full(logits, keys, decoding).tolist()


@pytest.mark.parametrize("logits", [torch.zeros(6, VOCABULARY), like_a_language_model(6, seed=2, scale=0.01) * 0.1])
def test_flat_distributions_are_computed_in_full(logits: torch.Tensor) -> None:
    keys: list[tuple[int, ...]] = [(number,) for number in range(6)]
    decoding = params(1.0, 0.9)
    assert sampling.choose_tokens(logits, keys, decoding).tolist() == in_full(logits, keys, decoding).tolist()


def test_a_draw_on_an_edge_is_left_to_the_full_computation() -> None:
    logits = torch.full((1, VOCABULARY), -40.0)
    logits[0, [7, 100_000]] = 0.0  # two tokens of one half each: the edge is at 0.5
    _, decided = sampling._sample_from_largest(logits, torch.tensor([0.5], dtype=torch.float64), params(1.0, 1.0))
    assert not decided.item()
    tokens, decided = sampling._sample_from_largest(logits, torch.tensor([0.6], dtype=torch.float64), params(1.0, 1.0))
    assert (tokens.item(), decided.item()) == (100_000, True)


def test_a_draw_does_not_depend_on_the_batch() -> None:
    logits = like_a_language_model(5, seed=3)
    keys: list[tuple[int, ...]] = [(number,) for number in range(5)]
    decoding = params(0.7, 0.95)
    together = sampling.choose_tokens(logits, keys, decoding).tolist()
    alone = [sampling.choose_tokens(logits[[row]], [keys[row]], decoding).item() for row in range(5)]
    assert together == alone


def test_most_rows_of_a_language_model_need_no_sort() -> None:
    logits = like_a_language_model(32, seed=4)
    draws = torch.rand(32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    _, decided = sampling._sample_from_largest(logits, draws, params(0.2, 0.95))
    assert decided.float().mean() >= 0.9


@pytest.mark.parametrize("vocabulary", [5_000, 4_096, VOCABULARY])
def test_tokens_by_block_are_those_of_the_whole_cumulative_distribution(vocabulary: int) -> None:
    log_pi = torch.log_softmax(like_a_language_model(9, seed=5)[:, :vocabulary], -1)
    generator = torch.Generator().manual_seed(8)
    uniform = torch.rand(9, 4, generator=generator, dtype=torch.float64)
    assert sampling.draw(log_pi, 4, seed=8).tolist() == sampling._inverse_transform(log_pi, uniform).tolist()


def test_draws_on_the_edge_of_a_block_are_left_to_the_full_computation() -> None:
    log_pi = torch.full((1, VOCABULARY), -200.0)
    log_pi[0, [127, 128]] = torch.tensor(0.5).log()  # last token of the first block, first token of the second
    uniform = torch.tensor([[0.5, 0.25, 0.75]], dtype=torch.float64)
    tokens, decided = sampling._inverse_transform_by_block(log_pi, uniform)
    assert decided.tolist() == [[False, True, True]]
    assert tokens[0, 1:].tolist() == [127, 128]
