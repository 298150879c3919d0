"""The sum of a layer and its adapter, W x + s B A x, without the three passes over its result that PEFT makes.

On a small student the products are cheap and PEFT's scaling and adding of whole layer outputs, forward and
backward, cost as much as they do. Here the scale meets A x, which has r columns, and the product with B is added in
place. With a scale that is a power of two (the paper's alpha / r = 2) not a bit of a result changes.

To answer, where one adapter is used thousands of times and never trained, `merged_adapter` computes W + s B A once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from peft.tuners.lora.layer import Linear


class _Added(torch.autograd.Function):
    """result += scale * (x A^T) B^T, in place; shapes (tokens, out), (tokens, in), (r, in), (out, r)."""

    @staticmethod
    def forward(
        ctx: Any, result: torch.Tensor, x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, scale: float
    ) -> torch.Tensor:
        low = torch.mm(x, a.t()).mul_(scale)
        ctx.mark_dirty(result)
        ctx.save_for_backward(x, a, b, low)
        ctx.scale = scale
        return result.addmm_(low, b.t())

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = gradients
        x, a, b, low = ctx.saved_tensors
        gradient = gradient.contiguous()
        to_low = torch.mm(gradient, b).mul_(ctx.scale)
        to_x = torch.mm(to_low, a) if ctx.needs_input_grad[1] else None
        return gradient, to_x, torch.mm(to_low.t(), x), torch.mm(gradient.t(), low), None


class FusedLoraLinear(Linear):
    """PEFT's LoRA layer; where one plain adapter of the layer's own type is active, its product is added in place."""

    holds_adapter = False  # whether the base's weight holds the active adapter just now

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if self.holds_adapter:
            plain: torch.Tensor = self.base_layer(x, *args)
            return plain
        name = self._plain_adapter(x.dtype, kwargs)
        if name is None:
            return super().forward(x, *args, **kwargs)
        # Flat, so that the result is no view, which autograd would copy before a change; twice, so that the gradients
        # of x are added in PEFT's order.
        base: Any = self.base_layer
        result = base(x.reshape(-1, x.shape[-1]), *args)
        dropout: Any = self.lora_dropout[name]
        dropped = dropout(x).reshape(-1, x.shape[-1])
        lora_a: Any = self.lora_A[name]
        lora_b: Any = self.lora_B[name]
        a, b, scale = lora_a.weight, lora_b.weight, self.scaling[name]
        if torch.is_grad_enabled():
            result = _Added.apply(result, dropped, a, b, scale)
        else:
            result.addmm_(torch.mm(dropped, a.t()).mul_(scale), b.t())
        return result.view(*x.shape[:-1], -1)

    def merge_in_place(self) -> torch.Tensor | None:
        """Let the base's weight hold the active adapter; returns the weight to put back, None if it is no plain one."""
        base: Any = self.base_layer
        name = self._plain_adapter(base.weight.dtype, {})
        if name is None:
            return None
        lora_a: Any = self.lora_A[name]
        lora_b: Any = self.lora_B[name]
        given: torch.Tensor = base.weight.data
        base.weight.data = torch.addmm(given, lora_b.weight.data, lora_a.weight.data, alpha=self.scaling[name])
        self.holds_adapter = True
        return given

    def restore(self, given: torch.Tensor) -> None:
        """Put back what `merge_in_place` returned: the very tensor, so that nothing is left of the adapter."""
        base: Any = self.base_layer
        base.weight.data = given
        self.holds_adapter = False

    def _plain_adapter(self, dtype: torch.dtype, kwargs: dict[str, Any]) -> str | None:
        """The one active adapter, if nothing special is asked of it; everything else is PEFT's business."""
        if self.disable_adapters or self.holds_adapter or kwargs or len(self.active_adapters) != 1:
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
    """Let every plain LoRA layer of `model` add in place; quantised ones stay PEFT's."""
    for module in model.modules():
        if type(module) is Linear and type(module.base_layer) is torch.nn.Linear:
            module.__class__ = FusedLoraLinear


@contextlib.contextmanager
def merged_adapter(model: torch.nn.Module) -> Iterator[None]:
    """Every plain layer of `model` with its active adapter in its weight; afterwards exactly as before.

    Takes a second copy of these weights, and rounds otherwise than the sum of two products: for small fp32 students.
    """
    layers = [module for module in model.modules() if isinstance(module, FusedLoraLinear)]
    taken = [(layer, layer.merge_in_place()) for layer in layers]
    try:
        yield
    finally:
        for layer, given in taken:
            if given is not None:
                layer.restore(given)
