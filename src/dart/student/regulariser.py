"""The interface of a regulariser: a weight and a penalty that the trainer adds to the cross entropy (Eq. 2).

A module of its own, so that Stage I and Stage III, which add nothing, do not depend on the regulariser of an ablation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import torch

from dart.student.loading import Student
from dart.student.template import RowIds


class StepContext(NamedTuple):
    """One forward pass of a training step: the student, the rows and their logits."""

    student: Student
    model: Any  # with its adapter
    rows: Sequence[RowIds]  # those with supervised tokens
    logits: torch.Tensor  # (supervised tokens of all rows, vocabulary), as the cross entropy has them
    compute_logits: Callable[[Sequence[RowIds]], torch.Tensor]  # the same for other rows, without dropout
    prefix_length: int  # tokens that all prompts begin with and that may be computed once; else 0
    step: int  # optimiser steps that are done
    global_batch: int  # rows of an optimiser step, over all processes and passes


class Penalty(NamedTuple):
    """This pass's share of the penalty: `total` with value and gradient, `values` the terms that it is the mean of."""

    total: torch.Tensor
    values: list[float]


class Regulariser(Protocol):
    """Adds ``weight * penalty`` to the loss."""

    @property
    def name(self) -> str:
        """One word: a key of the loss curve."""

    @property
    def weight(self) -> float:
        """Lambda, at least 0; with 0 training is plain."""

    @property
    def needs_whole_model(self) -> bool:
        """Whether it runs the model besides the trainer's own forward pass, which FSDP does not allow."""

    def description(self) -> str:
        """Everything that decides its gradient, in one line for the model card and the identity of a run."""

    def penalty(self, context: StepContext) -> Penalty | None:
        """The share of this backward pass; None where this step draws nothing."""
