"""LoRA layers that compute W x + s B A x without the three passes over the result that PEFT makes (Appendix C.1).

On a small student the products are cheap and PEFT's scaling and adding of whole layer outputs, forward and
backward, cost as much as they do. Here the scale multiplies A x, which has r columns, and the product with B is added
in place. With a scale that is a power of two (the paper's alpha / r = 2) not a bit of a result changes.

For inference, which uses one adapter thousands of times, `merged_adapter` computes W + s B A once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from peft.tuners.lora.layer import Linear


class _AddLoraProduct(torch.autograd.Function):
    """result += scale * (x A^T) B^T, in place; shapes (tokens, out), (tokens, in), (r, in), (out, r)."""

    @staticmethod
    def forward(
        ctx: Any, result: torch.Tensor, x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, scale: float
    ) -> torch.Tensor:
        projected = torch.mm(x, a.t()).mul_(scale)
        ctx.mark_dirty(result)
        ctx.save_for_backward(x, a, b, projected)
        ctx.scale = scale
        return result.addmm_(projected, b.t())

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = gradients
        x, a, b, projected = ctx.saved_tensors
        gradient = gradient.contiguous()
        grad_projected = torch.mm(gradient, b).mul_(ctx.scale)
        grad_x = torch.mm(grad_projected, a) if ctx.needs_input_grad[1] else None
        return gradient, grad_x, torch.mm(grad_projected.t(), x), torch.mm(gradient.t(), projected), None


class FusedLoraLinear(Linear):
    """PEFT's LoRA layer; where one plain adapter of the layer's own type is active, its product is added in place."""

    weight_is_merged = False  # whether the base's weight contains the active adapter at the moment

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if self.weight_is_merged:
            merged_result: torch.Tensor = self.base_layer(x, *args)
            return merged_result
        name = self._plain_adapter(x.dtype, kwargs)
        if name is None:
            return super().forward(x, *args, **kwargs)
        # Flattened, so that the result is not a view, which autograd would copy before an in-place operation; for
        # each product by itself, so that the gradients of x are added in PEFT's order.
        base: Any = self.base_layer
        result = base(x.reshape(-1, x.shape[-1]), *args)
        dropout: Any = self.lora_dropout[name]
        dropped = dropout(x).reshape(-1, x.shape[-1])
        lora_a: Any = self.lora_A[name]
        lora_b: Any = self.lora_B[name]
        a, b, scale = lora_a.weight, lora_b.weight, self.scaling[name]
        if torch.is_grad_enabled():
            result = _AddLoraProduct.apply(result, dropped, a, b, scale)
        else:
            result.addmm_(torch.mm(dropped, a.t()).mul_(scale), b.t())
        return result.view(*x.shape[:-1], -1)

    def merge_weight(self) -> torch.Tensor | None:
        """Merge the active adapter into the base's weight; returns the original, None if it is not a plain adapter."""
        base: Any = self.base_layer
        name = self._plain_adapter(base.weight.dtype, {})
        if name is None:
            return None
        lora_a: Any = self.lora_A[name]
        lora_b: Any = self.lora_B[name]
        original: torch.Tensor = base.weight.data
        base.weight.data = torch.addmm(original, lora_b.weight.data, lora_a.weight.data, alpha=self.scaling[name])
        self.weight_is_merged = True
        return original

    def unmerge_weight(self, original: torch.Tensor) -> None:
        """Restore what `merge_weight` returned: the same tensor, so that no rounding error of the adapter remains."""
        base: Any = self.base_layer
        base.weight.data = original
        self.weight_is_merged = False

    def _plain_adapter(self, dtype: torch.dtype, kwargs: dict[str, Any]) -> str | None:
        """The one active adapter, if it is plain fp32 LoRA; None leaves the forward pass to PEFT."""
        if self.disable_adapters or self.weight_is_merged or kwargs or len(self.active_adapters) != 1:
            return None
        name = str(self.active_adapters[0])
        if name not in self.lora_A or name in self.lora_variant or self.lora_bias.get(name):
            return None
        base: Any = self.base_layer
        types = {dtype, base.weight.dtype, self.lora_A[name].weight.dtype}
        if types != {torch.float32} or torch.is_autocast_enabled(base.weight.device.type):
            return None
        return name


def patch_lora_layers(model: torch.nn.Module) -> None:
    """Make every LoRA layer of `model` on a plain linear layer a `FusedLoraLinear`; quantised ones stay as they are."""
    for module in model.modules():
        if type(module) is Linear and type(module.base_layer) is torch.nn.Linear:
            module.__class__ = FusedLoraLinear


@contextlib.contextmanager
def merged_adapter(model: torch.nn.Module) -> Iterator[None]:
    """`model` with the active adapter merged into its weights; afterwards exactly as before.

    Takes a second copy of these weights, and rounds otherwise than the sum of two products: for small fp32 students.
    """
    layers = [module for module in model.modules() if isinstance(module, FusedLoraLinear)]
    originals = [(layer, layer.merge_weight()) for layer in layers]
    try:
        yield
    finally:
        for layer, original in originals:
            if original is not None:
                layer.unmerge_weight(original)
