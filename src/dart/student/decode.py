"""Decode a batch of prompts token by token: greedy or sampled, each row as if it were alone (Section 2.4).

A small loop of its own instead of `model.generate`, for three reasons: completed rows leave the batch; a row's random
draws come from its own seed, so that neither the batch nor the file's order changes a text; and a nano student spends
more time in the overhead of `generate` than in arithmetic. It uses what every causal language model of transformers
has: a forward pass with a cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from transformers import DynamicCache

from dart.core.schema.method import GenerationParams
from dart.student.prefix import growing_cache
from dart.student.sampling import DrawKey, choose_tokens

StoppingCriterion = Callable[[list[int]], bool]  # the new tokens of a row (at least one) -> whether it is complete
_COMPACT_BELOW = 7 / 8  # leaving the batch copies the cache, so rows leave together, when fewer than this are active


class DecodingPlan(NamedTuple):
    """How a student continues any prompt."""

    params: GenerationParams
    stop_ids: Sequence[int]  # tokens that end an answer and are not part of it
    pad_id: int
    is_complete: StoppingCriterion  # ends an answer besides the stop tokens; evaluated after every token


@torch.inference_mode()
def decode_batch(
    model: Any,
    prompts: Sequence[Sequence[int]],
    draw_keys: Sequence[DrawKey],
    plan: DecodingPlan,
    prefix: DynamicCache | None = None,
) -> list[list[int]]:
    """New tokens of each prompt, without the stop token.

    Args:
        draw_keys: one per prompt.
        prefix: keys and values of what all prompts begin with (one row), if they are computed already.
    """
    device, max_new_tokens = model.device, plan.params.max_new_tokens
    new: list[list[int]] = [[] for _ in prompts]
    rows: list[int | None] = list(range(len(prompts)))  # of the batch: index of the prompt; None once it is complete
    cache = growing_cache(model.config, prefix, len(prompts))
    n_prefix = prefix.get_seq_length() if prefix is not None else 0
    longest = max(len(prompt) for prompt in prompts)
    gaps = [longest - len(prompt) for prompt in prompts]
    ids = [[plan.pad_id] * gap + list(prompt[n_prefix:]) for gap, prompt in zip(gaps, prompts, strict=True)]
    step = torch.tensor(ids, device=device)
    visible = [[1] * n_prefix + [0] * gap + [1] * (longest - gap - n_prefix) for gap in gaps]
    mask = torch.tensor(visible, device=device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, n_prefix:]
    masked = not bool(mask.all())
    stop_ids = frozenset(plan.stop_ids)
    for count in range(1, max_new_tokens + 1):
        logits = model(
            input_ids=step,
            attention_mask=mask if masked else None,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        keys = [("over",) if row is None else (*draw_keys[row], count) for row in rows]
        tokens = choose_tokens(logits, keys, plan.params)
        for index, token in enumerate(tokens.tolist()):
            row = rows[index]
            if row is None:
                continue
            if token not in stop_ids:
                new[row].append(token)
            if token in stop_ids or plan.is_complete(new[row]):
                rows[index] = None
        active = [index for index, row in enumerate(rows) if row is not None]
        if not active or count == max_new_tokens:
            break
        if len(active) < _COMPACT_BELOW * len(rows):
            selected = torch.tensor(active, device=device)
            cache.batch_select_indices(selected)
            tokens, mask, positions = tokens[selected], mask[selected], positions[selected]
            rows = [rows[index] for index in active]
        step = tokens[:, None]
        positions = positions[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
    return new
