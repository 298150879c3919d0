"""Decode a small student on a CPU several tokens per forward pass, with the texts of one at a time (Section 2.4).

A step of a small student costs little more for four tokens than for one: it waits for memory (all keys and values are
read once per step) and for Python. The rationales of one variant share most of their phrases, so what followed the
last tokens elsewhere is a good guess of what follows here. A pass answers the last token and the guesses behind it;
every guess that is what the model itself chose is kept, the first that is not is replaced by the model's choice.
Guesses thus decide how many passes a text takes, never its tokens.

Rows advance at their own pace, so each has its own place in the cache; and what all prompts begin with is kept as
one row that all attend to, not as a copy per row.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from peft import PeftModel
from transformers import AttentionInterface, DynamicCache
from transformers.cache_utils import DynamicLayer

from dart.core.schema.method import GenerationParams
from dart.student.decode import Finished, choose
from dart.student.prefix import can_begin_with_a_prefix

NUM_DRAFT_TOKENS = 4  # tokens guessed per pass; more are right less often, fewer save less
MAX_ROWS = 64  # of one pass: keys and values of more rows do not stay in a processor's cache from one pass to the next
_PIECE = 32  # tokens of each prompt read per pass: what a pass needs in between stays small
_CONTEXTS = (3, 2)  # how many tokens must agree for a guess, the longer first
_ATTENTION = "dart_shared_prefix"
# Families whose attention is softmax(scale * Q K^T + mask) V and nothing else, which is what `attend` computes.
_PLAIN_ATTENTION = frozenset({"llama", "mistral", "qwen2", "qwen3"})


def supports_speculative_decoding(model: Any) -> bool:
    """Whether `model` may be decoded here; if not, `dart.student.decode` does it.

    On a GPU and below fp32 it is not done: there a pass of several tokens rounds otherwise than one of a single
    token, and a tie of two tokens would be decided by the guesses.
    """
    return (
        model.device.type == "cpu"
        and model.config.model_type in _PLAIN_ATTENTION
        and can_begin_with_a_prefix(model.config)
        and all(weight.dtype == torch.float32 for weight in model.parameters())
    )


class NGramDrafter:
    """What followed each pair and triple of tokens when it was last written, in any row."""

    def __init__(self) -> None:
        self._next: dict[tuple[int, ...], int] = {}

    def learn(self, ids: Sequence[int]) -> None:
        """Note the last token of `ids` behind those in front of it."""
        for length in _CONTEXTS:
            if len(ids) > length:
                self._next[tuple(ids[-1 - length : -1])] = ids[-1]

    def guess(self, ids: Sequence[int], count: int) -> list[int]:
        """Up to `count` tokens that may follow `ids`."""
        known = list(ids[-_CONTEXTS[0] :])
        guessed: list[int] = []
        while len(guessed) < count:
            found = (self._next.get(tuple(known[-length:])) for length in _CONTEXTS)
            token = next((token for token in found if token is not None), None)
            if token is None:
                break
            known.append(token)
            guessed.append(token)
        return guessed


class _RowsLayer(DynamicLayer):
    """Keys and values of one layer, (rows, heads, room, width); each row is written behind its own last token."""

    keys: Any  # tensors from the first update on; the base class allows for none
    values: Any

    def __init__(self, cache: RowsCache) -> None:
        super().__init__()
        self._cache = cache

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        rows, heads, _, width = key_states.shape
        # Memory that is never written is never taken, so room for the longest answer costs short ones nothing.
        self.keys, self.values = (key_states.new_empty(rows, heads, self._cache.room, width) for _ in range(2))
        self._written = 0
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write (rows, heads, new, width); returns (rows, heads, end of the longest row, width)."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        places, end = self._cache.places, self._cache.end
        if end > self._written:  # a shorter row is multiplied by zero there, which must not be a NaN of old memory
            self.keys[:, :, self._written : end] = 0
            self.values[:, :, self._written : end] = 0
            self._written = end
        rows = torch.arange(len(places), device=self.device)[:, None]
        self.keys[rows, :, places] = key_states.transpose(1, 2)
        self.values[rows, :, places] = value_states.transpose(1, 2)
        return self.keys[:, :, :end], self.values[:, :, :end]

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows (see `moved_up`): they change places where they lie, without a second cache."""
        kept, end = indices.tolist(), self._cache.end
        for place, row in enumerate(kept):
            if place != row:
                self.keys[place, :, :end] = self.keys[row, :, :end]
                self.values[place, :, :end] = self.values[row, :, :end]
        self.keys, self.values = self.keys[: len(kept)], self.values[: len(kept)]


def move_to_front(alive: Sequence[int]) -> list[int]:
    """The ascending places `alive` in the order in which the fewest rows move: the last ones fill the gaps."""
    count = len(alive)
    behind = [place for place in alive if place >= count]
    staying = set(alive)
    return [place if place in staying else behind.pop() for place in range(count)]


class RowsCache(DynamicCache):
    """A cache whose rows have lengths of their own.

    Args:
        room: tokens per row, without the prefix.
    """

    def __init__(self, layers: int, room: int) -> None:
        super().__init__()
        self.room = room
        self.layers = [_RowsLayer(self) for _ in range(layers)]

    def go_to(self, starts: torch.Tensor, count: int) -> torch.Tensor:
        """Let the next pass write `count` tokens of each row from `starts` (rows,) on; returns its additive mask.

        The mask, (rows, 1, count, end), leaves to each token its own row up to itself: what lies behind, padding or
        guesses that were wrong, will be overwritten.
        """
        self.places = starts[:, None] + torch.arange(count)
        self.end = int(starts.max()) + count
        hidden = torch.arange(self.end) > self.places[..., None]
        return torch.zeros(hidden.shape).masked_fill_(hidden, float("-inf"))[:, None]


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    scaling: float,
    prefix: DynamicCache | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention to a row's own keys and values and to those of the prefix, which are read once for all rows.

    Args:
        query: (rows, heads, tokens, width).
        key: (rows, key heads, length, width), as `value`: what the cache returns.
        attention_mask: see `RowsCache.go_to`; all tokens see the whole prefix.
        prefix: keys and values of one row, for all layers.
    """
    rows, heads, tokens, width = query.shape
    groups = key.shape[1]
    # Heads that share their keys are further queries to them: (rows, groups, queries, width).
    asked = (query * scaling).reshape(rows, groups, -1, width)
    own = torch.matmul(asked, key.transpose(-1, -2))
    own.view(rows, groups, -1, tokens, own.shape[-1]).add_(attention_mask[:, :, None])
    if prefix is None:
        result = torch.matmul(torch.softmax(own, -1), value)
        return result.view(rows, heads, tokens, width).transpose(1, 2), None
    before: Any = prefix.layers[module.layer_idx]  # type: ignore[index]
    # The queries of all rows to the one row of the prefix are a single product per group.
    to_prefix = torch.matmul(asked.transpose(0, 1).reshape(groups, -1, width), before.keys[0].transpose(-1, -2))
    known = to_prefix.shape[-1]
    weights = torch.softmax(torch.cat([to_prefix.view(groups, rows, -1, known).transpose(0, 1), own], -1), -1)
    result = torch.matmul(weights[..., known:], value)
    of_prefix = torch.matmul(weights[..., :known].transpose(0, 1).reshape(groups, -1, known), before.values[0])
    result += of_prefix.view(groups, rows, -1, width).transpose(0, 1)
    return result.view(rows, heads, tokens, width).transpose(1, 2), None


AttentionInterface.register(_ATTENTION, attend)


@contextlib.contextmanager
def _attending(model: Any) -> Iterator[None]:
    """`attend` as the attention of `model`; afterwards what it was."""
    causal: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    usual = causal.config._attn_implementation
    causal.set_attn_implementation(_ATTENTION)
    try:
        yield
    finally:
        causal.set_attn_implementation(usual)


@torch.inference_mode()
def speculative_decode(
    model: Any,
    prompts: Sequence[Sequence[int]],
    names: Sequence[tuple[object, ...]],
    decoding: GenerationParams,
    stop_ids: Sequence[int],
    pad_id: int,
    finished: Finished,
    prefix: DynamicCache | None,
    phrases: NGramDrafter,
) -> list[list[int]]:
    """New tokens of each prompt, as `dart.student.decode.continue_batch` has them.

    Args:
        phrases: what was written so far, by this variant; learns what is written now.
    """
    guesses = NUM_DRAFT_TOKENS if decoding.temperature == 0 else 0  # a guess at a draw is too often wrong
    known = prefix.get_seq_length() if prefix is not None else 0
    lengths = torch.tensor([len(prompt) - 1 - known for prompt in prompts])  # in the cache, of each row
    texts = [list(prompt) for prompt in prompts]
    new: list[list[int]] = [[] for _ in prompts]
    rows = list(range(len(prompts)))  # of the batch: which prompt
    stops = frozenset(stop_ids)
    room = int(lengths.max()) + 1 + decoding.max_new_tokens + guesses
    cache = RowsCache(model.config.num_hidden_layers, room)

    def run(ids: Sequence[Sequence[int]], starts: torch.Tensor, keep: int) -> torch.Tensor:
        """Logits behind the last `keep` of `ids` (0: all), (rows, keep, vocabulary)."""
        longest = max(map(len, ids))
        filled = torch.tensor([[*row, *[pad_id] * (longest - len(row))] for row in ids])
        mask = cache.go_to(starts, longest)
        logits: torch.Tensor = model(
            input_ids=filled, attention_mask=mask, position_ids=cache.places + known, past_key_values=cache,
            use_cache=True, prefix=prefix, logits_to_keep=keep,
        ).logits  # fmt: skip
        return logits

    def take(chosen: Sequence[int], guessed: Sequence[int], row: int) -> bool:
        """Add what the model chose, as long as the next token was guessed; whether the row is complete."""
        for token, guess in zip(chosen, [*guessed, None], strict=False):
            if token in stops:
                return True
            new[row].append(token)
            texts[row].append(token)
            phrases.learn(texts[row])
            if finished(new[row]) or len(new[row]) == decoding.max_new_tokens:
                return True
            if token != guess:
                break
        return False

    with _attending(model):
        # The last token of a prompt is left: it is the first that is asked what follows.
        for start in range(known, known + int(lengths.max()), _PIECE):
            piece = [prompt[start : min(start + _PIECE, len(prompt) - 1)] for prompt in prompts]
            run(piece, torch.full_like(lengths, start - known), keep=1)
        while rows:
            guessed = [
                phrases.guess(texts[row], min(guesses, decoding.max_new_tokens - len(new[row]) - 1)) for row in rows
            ]
            asked = [[texts[row][-1], *guess] for row, guess in zip(rows, guessed, strict=True)]
            logits = run(asked, lengths, keep=0)
            named = [(*names[row], len(new[row]) + 1) for row in rows] if decoding.temperature else []
            chosen = choose(logits.flatten(0, 1), named, decoding).view(len(rows), -1).tolist()
            counts, alive = [], []
            for place, row in enumerate(rows):
                before = len(new[row])
                if not take(chosen[place], guessed[place], row):
                    alive.append(place)
                counts.append(len(new[row]) - before)
            lengths = lengths + torch.tensor(counts)
            if len(alive) < len(rows):
                kept = move_to_front(alive)
                rows, lengths = [rows[place] for place in kept], lengths[kept]
                cache.batch_select_indices(torch.tensor(kept, dtype=torch.long))
    return new
