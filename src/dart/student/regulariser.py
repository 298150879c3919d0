"""What a training adds to the cross entropy, as the trainer sees it: a weight and a penalty per optimiser step (Eq. 2).

An interface of its own, so that Stage I and Stage III, which add nothing, do not depend on what an arm adds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import torch

from dart.student.loading import Student
from dart.student.template import RowIds


class Learner(NamedTuple):
    """A student in the middle of a backward pass, and the rows of that pass."""

    student: Student
    model: Any  # with its adapter
    rows: Sequence[RowIds]  # those with supervised tokens
    logits: torch.Tensor  # (supervised tokens of all rows, vocabulary), as the cross entropy has them
    logits_of: Callable[[Sequence[RowIds]], torch.Tensor]  # the same for other rows, without dropout
    shared: int  # how many tokens all prompts begin with, if they may be computed once
    step: int  # optimiser steps that are done
    global_batch: int  # rows of an optimiser step, over all processes and passes


class Penalty(NamedTuple):
    """`total` has the value and the gradient of this pass's share of the penalty; `values` are what it is a mean of."""

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

    def facts(self) -> str:
        """All that decides its gradient, in one line for the model card and the identity of a run."""

    def penalty(self, learner: Learner) -> Penalty | None:
        """The share of this backward pass; None where this step draws nothing."""
