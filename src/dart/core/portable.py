"""Small models with the same bytes on every x86-64 machine with AVX2 (design, Section 6).

torch's products and some of its functions come from Intel's MKL, which chooses its code by the maker of the processor
and rounds otherwise on each; training a nano student amplifies the last bit into another model. While
`portable_arithmetic` is entered for a small model, the CPU kernels of these operators are numpy's: products by
OpenBLAS, whose kernels are pinned (`dart.core.arithmetic`), functions by numpy's and scipy's own loops. Replaced is
what an operator calls, below autograd: so models, adapters and gradients need no code of their own, and no product
escapes.
What torch computes by itself (sums, softmax, norms, AdamW) is equal once its vectors are.

A large model is left alone, also within the training of a small one, and so is everything on a GPU.
"""

from __future__ import annotations

import contextlib
import logging
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from scipy import special

from dart.core import arithmetic
from dart.core.devices import is_small

log = logging.getLogger(__name__)

_FLASH = "_scaled_dot_product_flash_attention_for_cpu"
_NATIVE_TYPES = frozenset({torch.float32, torch.float64})
_library: Any = None  # holds the replaced kernels as long as they are in force


@contextlib.contextmanager
def portable_arithmetic(model: torch.nn.Module) -> Iterator[None]:
    """Within: the same bytes as on other machines if `model` is small, torch's own arithmetic if it is large.

    Does nothing, and says so once, where `dart.core.arithmetic` has an obstacle.

    May be nested: a classifier that scores what a student in training writes brings its own. In force for the whole
    process, so models of both sizes must not compute in two threads.

    Raises:
        ModelError: numpy or torch was imported before `dart.core.arithmetic.set_environment` was called.
    """
    before = _library is not None
    _switch(is_small(model) and _available())
    try:
        yield
    finally:
        _switch(before)


def _available() -> bool:
    obstacle = arithmetic.obstacle()
    if obstacle is None:
        arithmetic.require_environment()
        return True
    _state_once(obstacle)
    return False


def _state_once(obstacle: str, stated: set[str] = set()) -> None:  # noqa: B006 - remembers across calls
    if obstacle not in stated:
        stated.add(obstacle)
        log.warning("small models may get other bytes here than on other machines: %s", obstacle)


def _switch(on: bool) -> None:
    """Replace the kernels, or let torch's be in force again."""
    global _library
    if on and _library is None:
        torch.set_num_threads(1)  # of the kernels that stay torch's
        torch._C._set_mkldnn_enabled(False)  # oneDNN compiles its functions for the processor
        _library = torch.library.Library("aten", "IMPL")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "(?s).*Overriding a previously registered kernel", UserWarning)
            warnings.filterwarnings("ignore", "(?s).*Warning only once for all operators", UserWarning)
            for name, kernel in _kernels().items():
                _library.impl(name, kernel, "CPU", allow_override=True)
    elif not on and _library is not None:
        torch._C._set_mkldnn_enabled(True)
        _library._destroy()  # the only way back: torch keeps what was registered before beneath it
        _library = None


def _kernels() -> dict[str, Callable[..., Any]]:
    """Kernel of each operator that would else be MKL's, in all its forms (a value, in place, into a tensor)."""
    products: dict[str, Callable[..., torch.Tensor]] = {
        "mm": product, "bmm": product, "dot": product, "vdot": product, "addmm": _add_product, "addmv": _add_product,
        "baddbmm": _add_product, "addbmm": _add_sum_of_products,
    }  # fmt: skip
    functions = {name: _elementwise(function) for name, function in _FUNCTIONS.items()}
    kernels: dict[str, Callable[..., Any]] = {
        _FLASH: _in_float(attention, 1),
        f"{_FLASH}_backward": _in_float(attention_backward, 3),
        **products, **functions,
    }  # fmt: skip
    for name, kernel in {**products, **functions}.items():
        if name not in {"dot", "vdot"}:  # of these torch derives the form with `out`
            kernels[f"{name}.out"] = _into(kernel)
        if name not in {"mm", "bmm", "dot", "vdot"}:
            kernels[f"{name}_"] = _in_place(kernel)
    return kernels


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": np.exp, "log": np.log, "log2": np.log2, "log10": np.log10, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos,
    "tan": np.tan, "tanh": np.tanh, "sinh": np.sinh, "cosh": np.cosh, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "erf": special.erf, "erfc": special.erfc, "erfinv": special.erfinv,
}  # fmt: skip


def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Matrix product over leading dimensions: (..., m, k) x (..., k, n) -> (..., m, n), or of vectors."""
    if a.dtype not in _NATIVE_TYPES and a.is_floating_point():  # numpy lacks bfloat16 and is slow in half precision
        return product(a.float(), b.float()).to(a.dtype)
    return torch.from_numpy(np.asarray(np.matmul(_operand(a), _operand(b))))


def _operand(tensor: torch.Tensor) -> Any:
    """A matrix as OpenBLAS takes it, with one of its two last dimensions contiguous; numpy would use a slow loop."""
    if tensor.dim() > 1:
        rows, columns = tensor.stride()[-2:]
        if not (columns == 1 and rows) and not (rows == 1 and columns):
            tensor = tensor.contiguous()
    return tensor.detach().numpy()


def _add_product(
    added: torch.Tensor, a: torch.Tensor, b: torch.Tensor, *, beta: float = 1, alpha: float = 1
) -> torch.Tensor:
    """beta * added + alpha * a b, for addmm, addmv and baddbmm."""
    result = product(a, b)
    if alpha != 1:
        result.mul_(alpha)
    return result if beta == 0 else result.add_(added, alpha=beta)


def _add_sum_of_products(
    added: torch.Tensor, a: torch.Tensor, b: torch.Tensor, *, beta: float = 1, alpha: float = 1
) -> torch.Tensor:
    """beta * added + alpha * sum of the products of a batch, for addbmm."""
    return _add_product(
        added, a.transpose(0, 1).reshape(a.shape[1], -1), b.reshape(-1, b.shape[-1]), beta=beta, alpha=alpha
    )


def _in_float(kernel: Callable[..., tuple[torch.Tensor, ...]], rounded: int) -> Callable[..., tuple[torch.Tensor, ...]]:
    """A kernel that takes half precision as well, by way of float; so many of its results are rounded again."""

    def wide(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            return value
        return value.float().requires_grad_(value.requires_grad)  # `attention` asks whether a gradient is wanted

    def in_float(first: torch.Tensor, *arguments: Any, **options: Any) -> tuple[torch.Tensor, ...]:
        if first.dtype in _NATIVE_TYPES:
            return kernel(first, *arguments, **options)
        options = {name: wide(value) for name, value in options.items()}
        results = kernel(wide(first), *map(wide, arguments), **options)
        return *(result.to(first.dtype) for result in results[:rounded]), *results[rounded:]

    return in_float


def _elementwise(function: Callable[..., Any]) -> Callable[..., torch.Tensor]:
    def kernel(x: torch.Tensor) -> torch.Tensor:
        if x.dtype in _NATIVE_TYPES:
            return torch.from_numpy(np.asarray(function(x.detach().numpy())))
        dtype = x.dtype if x.is_floating_point() else torch.get_default_dtype()
        return torch.from_numpy(np.asarray(function(x.float().numpy()))).to(dtype)

    return kernel


def _into(kernel: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    def into(*arguments: Any, out: torch.Tensor, **options: Any) -> torch.Tensor:
        result = kernel(*arguments, **options)
        return out.resize_(result.shape).copy_(result)

    return into


def _in_place(kernel: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    def in_place(changed: torch.Tensor, *arguments: Any, **options: Any) -> torch.Tensor:
        return changed.copy_(kernel(changed, *arguments, **options))

    return in_place


def attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    attn_mask: torch.Tensor | None = None,
    scale: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """softmax(scale * Q K^T + mask) V as torch's fused kernel for a CPU has it.

    One row of the batch after the other: its scores stay in a processor's cache.

    Args:
        query: (rows, heads, tokens, width).
        key: (rows, key heads, length, width), as `value`.
        dropout_p: always 0; with dropout torch does not fuse.
        attn_mask: True where a query sees a key, or what is added to its score; broadcast to all scores.

    Returns:
        The result, (rows, heads, tokens, width), laid out as (rows, tokens, heads, width); and where torch's kernel
        hands logarithms of sums to `attention_backward`, the weights, (rows, heads, tokens, length), or nothing if no
        gradient is wanted.
    """
    rows, heads, tokens, _ = query.shape
    keys, values = _for_each_head(key, heads), _for_each_head(value, heads)
    mask = _additive_mask(query, key, attn_mask, is_causal)
    q, k, v = (_operand(part) for part in (query * _scale(query, scale), keys.transpose(-1, -2), values))
    result = query.new_empty(rows, tokens, heads, values.shape[-1]).transpose(1, 2)
    written = result.numpy()
    scores = query.new_empty(heads, tokens, key.shape[2])
    keep = query.requires_grad or key.requires_grad or value.requires_grad
    weights = query.new_empty(rows if keep else 1, *scores.shape)
    for row in range(rows):
        np.matmul(q[row], k[row], out=scores.numpy())
        if mask is not None:
            scores.add_(mask[row % len(mask)])
        here = weights[row % len(weights)]
        torch.softmax(scores, -1, out=here)
        np.matmul(here.numpy(), v[row], out=written[row])
    return result, weights if keep else query.new_empty(0)


def attention_backward(
    gradient: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    out: torch.Tensor,
    weights: torch.Tensor,
    dropout_p: float,
    is_causal: bool,
    *,
    attn_mask: torch.Tensor | None = None,
    scale: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of `attention` with respect to query, key and value, whose shapes they have.

    With weights P and scores S, dS = P * (dP - sum of dP * P), and that sum over keys is the one of dO * O over the
    width, which is shorter.
    """
    heads = query.shape[1]
    factor = _scale(query, scale)
    keys, values = _for_each_head(key, heads), _for_each_head(value, heads)
    sums = (gradient * out).sum(-1, keepdim=True)
    q, k, v, g, p = (_operand(part) for part in (query, keys, values.transpose(-1, -2), gradient, weights))
    to_query, to_key, to_value = (_by_position(part) for part in (query, keys, values))
    written = [part.numpy() for part in (to_query, to_key, to_value)]
    to_scores = query.new_empty(weights.shape[1:])
    ds = to_scores.numpy()
    for row in range(len(query)):
        np.matmul(p[row].swapaxes(-1, -2), g[row], out=written[2][row])
        np.matmul(g[row], v[row], out=ds)
        to_scores.sub_(sums[row]).mul_(weights[row])
        np.matmul(ds, k[row], out=written[0][row])
        np.matmul(ds.swapaxes(-1, -2), q[row], out=written[1][row])
    to_query.mul_(factor)
    to_key.mul_(factor)
    return to_query, _over_heads(to_key, key.shape[1]), _over_heads(to_value, value.shape[1])


def _scale(query: torch.Tensor, scale: float | None) -> float:
    return 1 / math.sqrt(query.shape[-1]) if scale is None else scale


def _by_position(like: torch.Tensor) -> torch.Tensor:
    """An empty (rows, heads, tokens, width) laid out as (rows, tokens, heads, width), as layers want it."""
    rows, heads, tokens, width = like.shape
    return like.new_empty(rows, tokens, heads, width).transpose(1, 2)


def _additive_mask(
    query: torch.Tensor, key: torch.Tensor, mask: torch.Tensor | None, is_causal: bool
) -> torch.Tensor | None:
    """(rows or 1, heads or 1, tokens or 1, length or 1), hiding keys from queries; None if every query sees every key.

    What hides is the least finite number: padding in front of a row sees nothing at all, and a softmax of nothing but
    -inf would be NaN and spread to the tokens behind it, by 0 * NaN.
    """
    least = torch.finfo(query.dtype).min
    tokens, length = query.shape[2], key.shape[2]
    if is_causal:
        hidden = torch.ones(tokens, length, dtype=torch.bool).triu_(1)
        return query.new_zeros(tokens, length).masked_fill_(hidden, least)[None, None]
    if mask is None:
        return None
    if mask.dtype == torch.bool:
        mask = query.new_zeros(mask.shape).masked_fill_(~mask, least)
    return mask.clamp(min=least)[(None,) * (4 - mask.dim())]


def _for_each_head(shared: torch.Tensor, heads: int) -> torch.Tensor:
    """Keys or values of fewer heads, repeated for the heads that share them."""
    return shared if shared.shape[1] == heads else shared.repeat_interleave(heads // shared.shape[1], 1)


def _over_heads(gradient: torch.Tensor, heads: int) -> torch.Tensor:
    """The reverse of `_for_each_head`: a gradient summed over the heads that share a key."""
    return gradient if gradient.shape[1] == heads else gradient.unflatten(1, (heads, -1)).sum(2)
