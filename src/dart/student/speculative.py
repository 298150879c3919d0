"""Speculative decoding of a small student on a CPU with an n-gram (prompt-lookup) drafter (Section 2.4).

A step of a small student costs little more for four tokens than for one: its time goes to memory (all keys and values
are read once per step) and to Python. The rationales of one variant share most of their phrases, so what followed the
last tokens elsewhere is a good draft of what follows here. One forward pass verifies a draft: the tokens that agree
with the model's own choice are accepted, the first that does not is replaced by it. A draft thus decides how many
passes a text takes, never its tokens. A rejected draft costs, so the number of drafted tokens follows the share of
drafts that were right so far: text that does not repeat itself is decoded token by token.

Rows accept different numbers of tokens, so each has its own length in the cache; and the prefix of all prompts is
stored as one row that all attend to, not as a copy per row.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from peft import PeftModel
from transformers import AttentionInterface, DynamicCache
from transformers.cache_utils import DynamicLayer

from dart.student.decode import DecodingPlan
from dart.student.prefix import supports_shared_prefix
from dart.student.sampling import DrawKey, choose_tokens

# (acceptance rate, tokens drafted per pass from it on). With a rate p, k drafted tokens give 1 + p + ... + p^k tokens
# per pass, and such a pass takes about 1 + k / 5 times as long as one of a single token.
_DRAFT_LENGTHS = ((0.7, 4), (0.3, 2), (0.0, 0))
_MAX_DRAFT = _DRAFT_LENGTHS[0][1]
_RATE_PASSES = 16  # passes over which the acceptance rate is averaged
MAX_ROWS = 64  # of one pass: keys and values of more rows do not stay in a processor's cache from one pass to the next
_PREFILL_TOKENS = 32  # of each prompt per pass: bounds the memory of activations
_CONTEXT_LENGTHS = (3, 2)  # tokens that must agree for a draft, the longer context first
_ATTENTION = "dart_shared_prefix"
# Families whose attention is softmax(scale * Q K^T + mask) V and nothing else, which is what `prefix_attention` does.
_PLAIN_ATTENTION = frozenset({"llama", "mistral", "qwen2", "qwen3"})


def supports_speculative_decoding(model: Any) -> bool:
    """Whether `model` may be decoded here; if not, `dart.student.decode` does it.

    Not on a GPU and not below fp32: there a pass of several tokens rounds differently from a pass of one, and the
    draft would decide a tie of two tokens.
    """
    return (
        model.device.type == "cpu"
        and model.config.model_type in _PLAIN_ATTENTION
        and supports_shared_prefix(model.config)
        and all(weight.dtype == torch.float32 for weight in model.parameters())
    )


class NGramDrafter:
    """Drafts the token that last followed the same two or three tokens, in any row.

    Attributes:
        acceptance_rate: moving average, over passes, of the share of rows whose next token was drafted right.
    """

    def __init__(self) -> None:
        self._next: dict[tuple[int, ...], int] = {}  # context -> the token that followed it most recently
        self.acceptance_rate = 0.5  # until it has been seen

    @property
    def draft_length(self) -> int:
        """Tokens worth drafting at this acceptance rate."""
        return next(length for rate, length in _DRAFT_LENGTHS if self.acceptance_rate >= rate)

    def observe(self, drafts: Sequence[Sequence[int]], choices: Sequence[Sequence[int]]) -> None:
        """Update the acceptance rate by a pass: one draft and one list of the model's choices per row."""
        right = sum(bool(draft) and draft[0] == choice[0] for draft, choice in zip(drafts, choices, strict=True))
        self.acceptance_rate += (right / len(drafts) - self.acceptance_rate) / _RATE_PASSES

    def update(self, ids: Sequence[int]) -> None:
        """Record the last token of `ids` as the continuation of those before it."""
        for length in _CONTEXT_LENGTHS:
            if len(ids) > length:
                self._next[tuple(ids[-1 - length : -1])] = ids[-1]

    def draft(self, ids: Sequence[int], count: int) -> list[int]:
        """Up to `count` tokens that may follow `ids`."""
        context = list(ids[-_CONTEXT_LENGTHS[0] :])
        tokens: list[int] = []
        while len(tokens) < count:
            candidates = (self._next.get(tuple(context[-length:])) for length in _CONTEXT_LENGTHS)
            token = next((candidate for candidate in candidates if candidate is not None), None)
            if token is None:
                break
            context.append(token)
            tokens.append(token)
        return tokens


class _RaggedLayer(DynamicLayer):
    """Keys and values of one layer, (rows, heads, capacity, width); each row is written at positions of its own."""

    keys: Any  # tensors from the first update on; the base class allows None
    values: Any

    def __init__(self, cache: RaggedCache) -> None:
        super().__init__()
        self._cache = cache

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        rows, heads, _, width = key_states.shape
        # Memory that is never written is never allocated, so capacity for the longest answer costs short ones nothing.
        self.keys, self.values = (key_states.new_empty(rows, heads, self._cache.capacity, width) for _ in range(2))
        self._n_written = 0
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write (rows, heads, new, width); returns (rows, heads, end of the longest row, width)."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        positions, end = self._cache.positions, self._cache.end
        if end > self._n_written:  # shorter rows multiply these positions by zero: uninitialised memory may hold a NaN
            self.keys[:, :, self._n_written : end] = 0
            self.values[:, :, self._n_written : end] = 0
            self._n_written = end
        rows = torch.arange(len(positions), device=self.device)[:, None]
        self.keys[rows, :, positions] = key_states.transpose(1, 2)
        self.values[rows, :, positions] = value_states.transpose(1, 2)
        return self.keys[:, :, :end], self.values[:, :, :end]

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows, in an order as `compaction_order` has it: rows move in place, without a second cache."""
        sources, end = indices.tolist(), self._cache.end
        for target, source in enumerate(sources):
            if target != source:
                self.keys[target, :, :end] = self.keys[source, :, :end]
                self.values[target, :, :end] = self.values[source, :, :end]
        self.keys, self.values = self.keys[: len(sources)], self.values[: len(sources)]


def compaction_order(active: Sequence[int]) -> list[int]:
    """The ascending indices `active` in the order in which the fewest rows move: the last ones fill the gaps."""
    count = len(active)
    movable = [index for index in active if index >= count]
    in_place = set(active)
    return [index if index in in_place else movable.pop() for index in range(count)]


class RaggedCache(DynamicCache):
    """A cache whose rows have lengths of their own.

    Args:
        capacity: tokens per row, without the prefix.
    """

    def __init__(self, layers: int, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity
        self.layers = [_RaggedLayer(self) for _ in range(layers)]

    def prepare(self, lengths: torch.Tensor, count: int) -> torch.Tensor:
        """Let the next pass append `count` tokens to rows of `lengths` (rows,); returns its additive mask.

        The mask, (rows, 1, count, end), lets each token see its own row up to itself: what lies behind, padding or
        rejected drafts, will be overwritten.
        """
        self.positions = lengths[:, None] + torch.arange(count)
        self.end = int(lengths.max()) + count
        hidden = torch.arange(self.end) > self.positions[..., None]
        return torch.zeros(hidden.shape).masked_fill_(hidden, float("-inf"))[:, None]


def prefix_attention(
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
        attention_mask: see `RaggedCache.prepare`; all tokens see the whole prefix.
        prefix: keys and values of one row, for all layers.
    """
    rows, heads, tokens, width = query.shape
    groups = key.shape[1]
    # Heads that share their keys are further queries to them: (rows, groups, queries, width).
    queries = (query * scaling).reshape(rows, groups, -1, width)
    scores = torch.matmul(queries, key.transpose(-1, -2))
    scores.view(rows, groups, -1, tokens, scores.shape[-1]).add_(attention_mask[:, :, None])
    if prefix is None:
        result = torch.matmul(torch.softmax(scores, -1), value)
        return result.view(rows, heads, tokens, width).transpose(1, 2), None
    layer: Any = prefix.layers[module.layer_idx]  # type: ignore[index]
    # The queries of all rows to the one row of the prefix are a single product per group.
    prefix_scores = torch.matmul(queries.transpose(0, 1).reshape(groups, -1, width), layer.keys[0].transpose(-1, -2))
    n_prefix = prefix_scores.shape[-1]
    weights = torch.softmax(torch.cat([prefix_scores.view(groups, rows, -1, n_prefix).transpose(0, 1), scores], -1), -1)
    result = torch.matmul(weights[..., n_prefix:], value)
    from_prefix = torch.matmul(weights[..., :n_prefix].transpose(0, 1).reshape(groups, -1, n_prefix), layer.values[0])
    result += from_prefix.view(groups, rows, -1, width).transpose(0, 1)
    return result.view(rows, heads, tokens, width).transpose(1, 2), None


AttentionInterface.register(_ATTENTION, prefix_attention)


@contextlib.contextmanager
def _prefix_attention_in(model: Any) -> Iterator[None]:
    """`model` with `prefix_attention`; afterwards with the implementation that it had."""
    causal: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    original = causal.config._attn_implementation
    causal.set_attn_implementation(_ATTENTION)
    try:
        yield
    finally:
        causal.set_attn_implementation(original)


@torch.inference_mode()
def speculative_decode(
    model: Any,
    prompts: Sequence[Sequence[int]],
    draw_keys: Sequence[DrawKey],
    plan: DecodingPlan,
    prefix: DynamicCache | None,
    drafter: NGramDrafter,
) -> list[list[int]]:
    """New tokens of each prompt: those of `dart.student.decode.decode_batch`, in fewer passes.

    Args:
        drafter: has seen what this variant wrote so far, and is updated with what is written now.
    """
    return _SpeculativeBatch(model, prompts, draw_keys, plan, prefix, drafter).decode()


class _SpeculativeBatch:
    """The state of one batch: its rows, their texts and their cache."""

    def __init__(
        self,
        model: Any,
        prompts: Sequence[Sequence[int]],
        draw_keys: Sequence[DrawKey],
        plan: DecodingPlan,
        prefix: DynamicCache | None,
        drafter: NGramDrafter,
    ) -> None:
        self.model, self.plan, self.prefix, self.drafter = model, plan, prefix, drafter
        self.prompts, self.draw_keys = prompts, draw_keys
        self.sampling = plan.params.temperature > 0  # the draft of a sampled token is too often wrong
        self.n_prefix = prefix.get_seq_length() if prefix is not None else 0
        # Tokens of each row in the cache; the last token of a prompt is left out, it is the first to be continued.
        self.lengths = torch.tensor([len(prompt) - 1 - self.n_prefix for prompt in prompts])
        self.texts = [list(prompt) for prompt in prompts]
        self.new: list[list[int]] = [[] for _ in prompts]
        self.rows = list(range(len(prompts)))  # of the batch: index of the prompt
        self.stop_ids = frozenset(plan.stop_ids)
        capacity = int(self.lengths.max()) + 1 + plan.params.max_new_tokens + _MAX_DRAFT
        self.cache = RaggedCache(model.config.num_hidden_layers, capacity)

    def decode(self) -> list[list[int]]:
        with _prefix_attention_in(self.model):
            self._prefill()
            while self.rows:
                drafts = self._draft()
                verified = self._cut(drafts)
                choices = self._verify(verified)
                if not self.sampling:
                    self.drafter.observe(drafts, choices)
                self._compact(self._accept(choices, verified))
        return self.new

    def _prefill(self) -> None:
        """Fill the cache with all prompts but their last tokens."""
        start, end = self.n_prefix, self.n_prefix + int(self.lengths.max())
        for first in range(start, end, _PREFILL_TOKENS):
            ids = [prompt[first : min(first + _PREFILL_TOKENS, len(prompt) - 1)] for prompt in self.prompts]
            self._forward(ids, torch.full_like(self.lengths, first - start), logits_to_keep=1)

    def _draft(self) -> list[list[int]]:
        """Tokens that may follow each row; at least one where there is a context, for the acceptance rate alone."""
        if self.sampling:
            return [[] for _ in self.rows]
        length = max(self.drafter.draft_length, 1)
        return [self.drafter.draft(self.texts[row], length) for row in self.rows]

    def _cut(self, drafts: Sequence[Sequence[int]]) -> list[Sequence[int]]:
        """The drafts that are worth a place in the next pass, leaving room for the token that the model adds."""
        room = self.plan.params.max_new_tokens - 1
        length = self.drafter.draft_length
        return [draft[: min(length, room - len(self.new[row]))] for row, draft in zip(self.rows, drafts, strict=True)]

    def _verify(self, drafts: Sequence[Sequence[int]]) -> list[list[int]]:
        """The model's own choice behind the last token and behind each drafted token of every row."""
        ids = [[self.texts[row][-1], *draft] for row, draft in zip(self.rows, drafts, strict=True)]
        logits = self._forward(ids, self.lengths, logits_to_keep=0)
        keys = [(*self.draw_keys[row], len(self.new[row]) + 1) for row in self.rows] if self.sampling else []
        choices: list[list[int]] = (
            choose_tokens(logits.flatten(0, 1), keys, self.plan.params).view(len(self.rows), -1).tolist()
        )
        return choices

    def _accept(self, choices: Sequence[Sequence[int]], drafts: Sequence[Sequence[int]]) -> list[int]:
        """Append the accepted tokens to each row; returns the indices of the rows that go on."""
        counts, active = [], []
        for index, row in enumerate(self.rows):
            before = len(self.new[row])
            if not self._accept_row(row, choices[index], drafts[index]):
                active.append(index)
            counts.append(len(self.new[row]) - before)
        self.lengths = self.lengths + torch.tensor(counts)
        return active

    def _accept_row(self, row: int, choices: Sequence[int], draft: Sequence[int]) -> bool:
        """Append the model's choices up to the first that differs from the draft; whether the row is complete."""
        for token, drafted in zip(choices, [*draft, None], strict=False):
            if token in self.stop_ids:
                return True
            self.new[row].append(token)
            self.texts[row].append(token)
            self.drafter.update(self.texts[row])
            if self.plan.is_complete(self.new[row]) or len(self.new[row]) == self.plan.params.max_new_tokens:
                return True
            if token != drafted:
                break
        return False

    def _compact(self, active: Sequence[int]) -> None:
        """Drop the complete rows from the batch and its cache."""
        if len(active) == len(self.rows):
            return
        order = compaction_order(active)
        self.rows, self.lengths = [self.rows[index] for index in order], self.lengths[order]
        self.cache.batch_select_indices(torch.tensor(order, dtype=torch.long))

    def _forward(self, ids: Sequence[Sequence[int]], lengths: torch.Tensor, logits_to_keep: int) -> torch.Tensor:
        """Logits behind the last `logits_to_keep` of `ids` (0: all), (rows, tokens, vocabulary)."""
        longest = max(map(len, ids))
        padded = torch.tensor([[*row, *[self.plan.pad_id] * (longest - len(row))] for row in ids])
        mask = self.cache.prepare(lengths, longest)
        logits: torch.Tensor = self.model(
            input_ids=padded,
            attention_mask=mask,
            position_ids=self.cache.positions + self.n_prefix,
            past_key_values=self.cache,
            use_cache=True,
            prefix=self.prefix,
            logits_to_keep=logits_to_keep,
        ).logits
        return logits
