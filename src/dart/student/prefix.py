"""The tokens that all prompts of an experiment begin with, run through the model once instead of once per row.

The instruction (Appendix E.3) is up to half of a row, and in a causal model nothing behind it changes its keys and
values. So it runs through the model as one row, and the others attend to it. In training its gradient is the sum over
the rows, as if each row had computed it by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from peft import PeftModel
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

MIN_PREFIX_TOKENS = 32  # with fewer, a second forward pass costs more than it saves


def common_prefix_length(prompts: Sequence[Sequence[int]]) -> int:
    """How many tokens all `prompts` begin with, at most the length of the shortest minus one; 0 if too few to pay."""
    # What the first and the last in lexical order begin with, all between them begin with.
    first, last = min(map(list, prompts)), max(map(list, prompts))
    longest = min(len(prompt) for prompt in prompts) - 1
    count = next((index for index in range(longest) if first[index] != last[index]), longest)
    return count if count >= MIN_PREFIX_TOKENS and len(prompts) > 1 else 0


def supports_shared_prefix(config: Any) -> bool:
    """Whether every layer keeps all positions; one with a sliding window would lose the first ones of the prefix."""
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)


def decoder_of(model: Any) -> Any:
    """The layers of a causal language model, with or without adapters, without its head."""
    causal: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    return getattr(causal, causal.base_model_prefix)


def prefix_cache(decoder: Any, ids: torch.Tensor) -> DynamicCache:
    """Keys and values of one row of ids (1, length), for use by many rows.

    Args:
        decoder: the model without its head, because the logits are not needed.
    """
    cache = DynamicCache()
    decoder(input_ids=ids, past_key_values=cache, use_cache=True)
    return cache


def expand_cache(cache: Any, rows: int) -> DynamicCache:
    """The cache of one row as the cache of `rows` rows, without a copy and with the gradient of all of them."""
    expanded = DynamicCache()
    for layer in cache.layers:
        copy: Any = DynamicLayer()
        copy.lazy_initialization(layer.keys, layer.values)
        copy.keys = layer.keys.expand(rows, *layer.keys.shape[1:])
        copy.values = layer.values.expand(rows, *layer.values.shape[1:])
        expanded.layers.append(copy)
    return expanded


class GrowingLayer(DynamicLayer):
    """Keys and values of one layer in a buffer with spare capacity: a new token is written, not everything copied.

    All rows have the same length, so a token is one slice; rows of different lengths are `speculative.RaggedCache`.
    """

    keys: Any  # tensors from the first update on; the base class allows None
    values: Any
    _keys: torch.Tensor
    _values: torch.Tensor
    SPARE = 64  # positions that are added when the buffer is full

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        self._keys, self._values = (part[:, :, :0] for part in (key_states, value_states))
        self._set_length(0)
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append (rows, heads, new, width); returns all, (rows, heads, length, width)."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, end = self._length, self._length + key_states.shape[-2]
        if end > self._keys.shape[-2]:
            self._keys, self._values = (self._resized(part, end + self.SPARE) for part in (self._keys, self._values))
        self._keys[:, :, start:end] = key_states
        self._values[:, :, start:end] = value_states
        self._set_length(end)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows, with their spare capacity."""
        self._keys, self._values = self._keys[indices], self._values[indices]
        self._set_length(self._length)

    def _resized(self, buffer: torch.Tensor, capacity: int) -> torch.Tensor:
        larger = buffer.new_empty(*buffer.shape[:2], capacity, buffer.shape[-1])
        larger[:, :, : self._length] = buffer[:, :, : self._length]
        return larger

    def _set_length(self, length: int) -> None:
        self._length = length
        self.keys, self.values = self._keys[:, :, :length], self._values[:, :, :length]


def growing_cache(config: Any, prefix: Any, rows: int) -> DynamicCache:
    """A cache for `rows` rows: empty, or beginning in each of them with the one row of `prefix`."""
    cache: Any = DynamicCache(config=config)
    # A sliding window drops old positions by itself and keeps its own layer.
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    if prefix is not None:
        for layer, source in zip(cache.layers, prefix.layers, strict=True):
            layer.update(*(part.expand(rows, *part.shape[1:]) for part in (source.keys, source.values)))
    result: DynamicCache = cache
    return result
