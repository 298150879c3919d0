"""The device of a model: one CPU thread for a small one, else the GPU of this process."""

from __future__ import annotations

import torch

# Below this size one CPU thread is as fast as two and launching a GPU kernel costs more than its arithmetic; measured
# on 0.2M to 1.3M parameters. A fixed choice also gives machines with and without a GPU the same bytes.
SMALL_PARAMETERS = 5_000_000


def device_for(model: torch.nn.Module) -> torch.device:
    """CPU with one thread for a small model, else the GPU of this process if there is one."""
    if is_small(model):
        torch.set_num_threads(1)
        return torch.device("cpu")
    return accelerator_device()


def is_small(model: torch.nn.Module) -> bool:
    """Whether the model has fewer than `SMALL_PARAMETERS` parameters."""
    return sum(parameter.numel() for parameter in model.parameters()) < SMALL_PARAMETERS


def accelerator_device() -> torch.device:
    """The GPU that the launcher assigned to this process; the CPU without a GPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    from accelerate import PartialState

    device: torch.device = PartialState().device
    return device
