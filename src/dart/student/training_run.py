"""What defines one training and what came of it: the identity of its checkpoints and the contents of its model card."""

from __future__ import annotations

from typing import Literal, NamedTuple

from dart.core.hub import Source
from dart.core.schema.method import Lora, Training
from dart.core.schema.profile import TrainedStudent
from dart.core.seeds import digest
from dart.student.regulariser import Regulariser


class TrainingRun(NamedTuple):
    """Everything that decides the weights of an adapter."""

    source: Source  # of the base
    spec: TrainedStudent
    lora: Lora
    training: Training
    seed: int
    data_digest: str  # of the rows; 16 hex digits
    start: str | None  # fingerprint of the adapter that is continued; None for a new one
    steps: int | None  # optimiser steps; None: epochs of `spec` or `training`
    regulariser: Regulariser | None
    objective: str | None = None  # other than cross entropy, with its strength

    @property
    def stage(self) -> Literal["stage1", "stage3"]:
        """An adapter that is continued is in Stage III."""
        return "stage1" if self.start is None else "stage3"

    @property
    def identity(self) -> str:
        """The name of its checkpoints."""
        added = [self.regulariser.description()] if self.regulariser else []
        added += [self.objective] if self.objective else []
        return digest(
            self.source, self.spec.model_dump(), self.data_digest, self.lora.model_dump(), self.training.model_dump(),
            self.seed, self.start, self.steps, *added,
        )  # fmt: skip


class TrainingResult(NamedTuple):
    """The figures of a finished training."""

    rows: int
    supervised_tokens: int  # of one pass over the rows
    parameters: int  # trained ones
    steps: int
    loss: float  # last point of the curve
