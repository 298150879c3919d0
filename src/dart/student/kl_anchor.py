"""Hold a student near the adapter that it started from: KL(reference || student) on rehearsed rows.

Not in the paper. Repair rows say what is to change; on everything else the distilled student is the teacher, with its
whole distribution and not with one greedy text.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import kl_div, log_softmax

from dart.core.records import TrainingRow
from dart.student import adapter
from dart.student.lora_layers import patch_lora_layers
from dart.student.regulariser import Penalty, StepContext

_REFERENCE = "reference"


class KLAnchor:
    """A regulariser: weight x KL(reference || student), the mean over the tokens of the anchored rows of a pass.

    Args:
        weight: of the divergence in nats per token.
        reference: folder of the adapter that is the anchor.
        free: rows that are not anchored, those of the repair.
        max_length: of a row, as in training, so that they are recognised by their ids.
    """

    name = "kl"
    needs_whole_model = True  # the reference is the same model under another adapter

    def __init__(self, weight: float, reference: Path, free: Sequence[TrainingRow], max_length: int) -> None:
        self.weight = weight
        self._reference = reference
        self._free = free
        self._max_length = max_length
        self._free_ids: frozenset[tuple[int, ...]] | None = None  # encoded when the template is known

    def description(self) -> str:
        return f"{self.weight} x KL from {adapter.fingerprint(self._reference)}, {len(self._free)} rows free"

    def penalty(self, context: StepContext) -> Penalty | None:
        """The divergence of this pass, weighted by the share of the step's rows that it anchors."""
        anchored = self._anchored(context)
        if not any(anchored):
            return None
        lengths = [len(row.ids) - row.n_prompt for row in context.rows]
        mask = torch.repeat_interleave(torch.tensor(anchored), torch.tensor(lengths)).to(context.logits.device)
        with torch.no_grad(), _active_reference(context.model, self._reference):
            reference = log_softmax(context.compute_logits(context.rows).float()[mask], dim=-1)
        student = log_softmax(context.logits.float()[mask], dim=-1)
        divergence = kl_div(student, reference, reduction="batchmean", log_target=True)
        share = sum(anchored) / context.global_batch
        return Penalty(divergence * share, [float(divergence.detach())])

    def _anchored(self, context: StepContext) -> list[bool]:
        if self._free_ids is None:
            encode = context.student.template.row_ids
            rows = [encode(row.messages, row.response, self._max_length, row.key) for row in self._free]
            self._free_ids = frozenset(tuple(row.ids) for row in rows)
        return [tuple(row.ids) not in self._free_ids for row in context.rows]


@contextlib.contextmanager
def _active_reference(model: Any, folder: Path) -> Iterator[None]:
    """The PEFT model under the reference, which is loaded at the first call; afterwards under the trained adapter."""
    if _REFERENCE not in model.peft_config:
        model.load_adapter(str(folder), adapter_name=_REFERENCE, is_trainable=False)
        patch_lora_layers(model)
    trained = model.active_adapter
    model.set_adapter(_REFERENCE)
    try:
        yield
    finally:
        model.set_adapter(trained)
