"""Continue a batch of prompts token by token: greedy or sampled, each row as if it were alone (Section 2.4).

A small loop of its own instead of `model.generate`, for three reasons: rows that are done leave the batch, a
row's draws come from its own seed, so that neither the batch nor the file's order changes a text, and a nano student
spends more time in `generate`'s book-keeping than in its sums. It uses what every causal language model of
transformers has: a forward pass with a cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import DynamicCache

from dart.core.schema.method import GenerationParams
from dart.core.seeds import unit_interval
from dart.student.prefix import growing_cache

Finished = Callable[[list[int]], bool]
_KEPT = 7 / 8  # leaving the batch copies the cache, so rows leave together, when less than this share still writes


@torch.inference_mode()
def continue_batch(
    model: Any,
    prompts: Sequence[Sequence[int]],
    names: Sequence[tuple[object, ...]],
    decoding: GenerationParams,
    stop_ids: Sequence[int],
    pad_id: int,
    finished: Finished,
    prefix: DynamicCache | None = None,
) -> list[list[int]]:
    """New tokens of each prompt, without the stop token.

    Args:
        names: what seeds the draws of each row; only with temperature > 0.
        finished: asked after every token whether a row with these new tokens is complete.
        prefix: keys and values of what all prompts begin with (one row), if that was computed already.
    """
    device = model.device
    new: list[list[int]] = [[] for _ in prompts]
    rows: list[int | None] = list(range(len(prompts)))  # of the batch: which prompt; None once it is complete
    cache = growing_cache(model.config, prefix, len(prompts))
    known = prefix.get_seq_length() if prefix is not None else 0
    longest = max(len(prompt) for prompt in prompts)
    gaps = [longest - len(prompt) for prompt in prompts]
    ids = [[pad_id] * gap + list(prompt[known:]) for gap, prompt in zip(gaps, prompts, strict=True)]
    step = torch.tensor(ids, device=device)
    seen = [[1] * known + [0] * gap + [1] * (longest - gap - known) for gap in gaps]
    mask = torch.tensor(seen, device=device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, known:]
    masked = not bool(mask.all())
    stops = frozenset(stop_ids)
    for count in range(1, decoding.max_new_tokens + 1):
        logits = model(
            input_ids=step,
            attention_mask=mask if masked else None,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        chosen = choose(logits, [("over",) if row is None else (*names[row], count) for row in rows], decoding)
        for place, token in enumerate(chosen.tolist()):
            row = rows[place]
            if row is None:
                continue
            if token not in stops:
                new[row].append(token)
            if token in stops or finished(new[row]):
                rows[place] = None
        alive = [place for place, row in enumerate(rows) if row is not None]
        if not alive or count == decoding.max_new_tokens:
            break
        if len(alive) < _KEPT * len(rows):
            kept = torch.tensor(alive, device=device)
            cache.batch_select_indices(kept)
            chosen, mask, positions = chosen[kept], mask[kept], positions[kept]
            rows = [rows[place] for place in alive]
        step = chosen[:, None]
        positions = positions[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
    return new


def choose(logits: torch.Tensor, names: Sequence[tuple[object, ...]], decoding: GenerationParams) -> torch.Tensor:
    """The next token of each row, (rows, vocabulary) -> (rows,): the best one, or a draw named by `names`."""
    if decoding.temperature == 0:
        return logits.argmax(-1)
    # In double precision on the CPU: the draw must not depend on where the model runs more than its logits do.
    probabilities = torch.softmax(logits.double().cpu() / decoding.temperature, dim=-1)
    ordered, tokens = probabilities.sort(dim=-1, descending=True, stable=True)
    below = ordered.cumsum(-1) - ordered  # mass in front of each token: the nucleus keeps what starts below top_p
    ordered = ordered.masked_fill(below >= decoding.top_p, 0.0)
    draws = torch.tensor([[unit_interval("decode", *name)] for name in names], dtype=torch.float64)
    cumulative = ordered.cumsum(-1)
    index = torch.searchsorted(cumulative, draws * cumulative[:, -1:], right=True).clamp(max=ordered.shape[-1] - 1)
    return tokens.gather(-1, index).squeeze(-1).to(logits.device)
