"""transformers' Trainer with a loss on the answer alone and logits for nothing else (Section 2.3, Appendix C.2).

A prompt is most of a row, and a row of logits is as long as the vocabulary: computing them only where a token is
supervised halves the work of a nano student and saves gigabytes on a real one. The rest of the subclass switches
off what costs more than the arithmetic of a small model (operation counts, a NaN test per batch) and makes the order
of the rows a function of the seed alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import Sampler
from transformers import PrinterCallback, Trainer

from dart.core.errors import ParameterError
from dart.core.seeds import seed_for
from dart.core.step_log import StepLog
from dart.student.loading import Student
from dart.student.prefix import decoder_of, expand_cache, prefix_cache
from dart.student.regulariser import Regulariser, StepContext
from dart.student.template import RowIds

log = logging.getLogger(__name__)
IGNORED = -100  # torch's default ignore_index of the cross entropy
_MEGABATCH = 50  # batches that are sorted together: large enough to group lengths, small enough to stay random


class GroupedSampler(Sampler[int]):
    """Rows in batches of similar length; the order depends on (seed, epoch) and on nothing else.

    Args:
        batch: rows of one optimiser step, over all processes.
        fill: whether a short last batch is padded with the index behind the last row, which stands for a row without
            supervised tokens: several processes then have equal shares and the same sum as one process.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int, *, fill: bool = False) -> None:
        self.lengths = lengths
        self.batch = batch
        self.seed = seed
        self.fill = fill
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer at the start of each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths) + self._n_padding()

    def _n_padding(self) -> int:
        return -len(self.lengths) % self.batch if self.fill else 0

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(seed_for(self.seed, "order", self.epoch))
        order: list[int] = torch.randperm(len(self.lengths), generator=generator).tolist()
        size = self.batch * _MEGABATCH
        batches: list[list[int]] = []
        for start in range(0, len(order), size):
            mega = sorted(order[start : start + size], key=lambda index: -self.lengths[index])
            batches += [mega[first : first + self.batch] for first in range(0, len(mega), self.batch)]
        full = [batch for batch in batches if len(batch) == self.batch]
        short = [batch for batch in batches if len(batch) < self.batch]  # at most one; last, so that no batch is split
        for index in torch.randperm(len(full), generator=generator).tolist():
            yield from full[index]
        for batch in short:
            yield from batch
        yield from [len(self.lengths)] * self._n_padding()


class Collator:
    """Rows to one right-padded batch, without an attention mask.

    Attention is causal, so no real token ever sees the padding behind it; without a mask the fast kernel is used.
    """

    def __init__(self, pad_id: int) -> None:
        self.pad_id = pad_id

    def __call__(self, rows: Sequence[RowIds]) -> dict[str, torch.Tensor]:
        """Returns input_ids and labels, both (rows, longest)."""
        longest = max(len(row.ids) for row in rows)
        ids = [row.ids + [self.pad_id] * (longest - len(row.ids)) for row in rows]
        labels = [
            [IGNORED] * row.n_prompt + row.ids[row.n_prompt :] + [IGNORED] * (longest - len(row.ids)) for row in rows
        ]
        return {"input_ids": torch.tensor(ids), "labels": torch.tensor(labels)}


class AnswerTrainer(Trainer):
    """Trainer whose loss is the mean cross entropy over the supervised tokens of the global batch.

    With a regulariser, its weight times its penalty is added (Eq. 2).
    """

    def __init__(
        self,
        *args: Any,
        lengths: Sequence[int],
        order_seed: int,
        prefix_length: int = 0,
        student: Student | None = None,
        regulariser: Regulariser | None = None,
        **kwargs: Any,
    ) -> None:
        """Besides those of the Trainer.

        Args:
            lengths: tokens of each row.
            prefix_length: tokens that all rows begin with, if they are to be computed once per batch.
            student: needed with a regulariser.

        Raises:
            ParameterError: the regulariser runs the model by itself, and FSDP shards it.
        """
        super().__init__(*args, **kwargs)
        if regulariser is not None and regulariser.needs_whole_model and self.is_fsdp_enabled:
            raise ParameterError(
                f"The {regulariser.name} regulariser lets the student generate, which a process that holds only "
                "a shard of it cannot do. Set toxreg.draws: teacher_forced, or train without FSDP."
            )
        self._student = student
        self._regulariser = regulariser
        self._penalties: list[float] = []  # since the last point of the loss curve
        self._step_log: StepLog | None = None  # made when the number of steps is known
        self._prefix_length = 0 if self.is_fsdp_enabled else prefix_length  # FSDP gathers around whole forward passes
        self._lengths = lengths
        self._order_seed = order_seed
        self._supervised: torch.Tensor | None = None  # mask (rows, length behind the prefix); None: all logits
        self.model_accepts_loss_kwargs = True  # so that the Trainer counts the supervised tokens of the global batch,
        self.loss_is_scaled_for_ga = True  # by which `compute_loss` divides
        self.remove_callback(PrinterCallback)  # logging goes to stderr, see `log`
        adapted: Any = self.model
        head = adapted.get_base_model().get_output_embeddings()
        head.register_forward_pre_hook(self._select_supervised)

    def _select_supervised(self, _head: torch.nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        """(rows, length, hidden) -> (supervised, hidden): the head computes logits for these only."""
        return inputs if self._supervised is None else (inputs[0][:, :-1][self._supervised],)

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor | Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Sum of the token losses over the number of supervised tokens of all processes and accumulated batches."""
        targets = inputs["labels"][:, self._prefix_length + 1 :]
        self._supervised = targets != IGNORED
        outputs = self._outputs(model, inputs["input_ids"])
        total = cross_entropy(outputs.logits.float(), targets[self._supervised], reduction="sum")
        # Gradients are averaged over processes although the divisor counts the tokens of all of them.
        loss = total * self.accelerator.num_processes / num_items_in_batch
        if self._regulariser is not None:
            loss = loss + self._weighted_penalty(self._regulariser, inputs, outputs.logits)
        return (loss, outputs) if return_outputs else loss

    def _weighted_penalty(self, regulariser: Regulariser, inputs: dict[str, torch.Tensor], logits: torch.Tensor) -> Any:
        """Eq. 2, second term: lambda times the penalty of these rows, 0 on a step without one."""
        assert self._student is not None
        model: Any = self.accelerator.unwrap_model(self.model)
        context = StepContext(
            self._student, model, _rows_of(inputs), logits, self._logits_without_dropout, self._prefix_length,
            self.state.global_step, self.get_total_train_batch_size(self.args),
        )  # fmt: skip
        self._supervised = None  # generation needs the logits of the last token
        model.train(not regulariser.needs_whole_model)
        penalty = regulariser.penalty(context)
        model.train()
        if penalty is None:
            return 0.0
        self._penalties += penalty.values
        return regulariser.weight * penalty.total * self.accelerator.num_processes

    def _logits_without_dropout(self, rows: Sequence[RowIds]) -> torch.Tensor:
        """(supervised tokens of `rows`, vocabulary), with gradient; the model is in evaluation mode already."""
        assert self._student is not None
        batch = Collator(self._student.pad_id)(rows)
        targets = batch["labels"][:, self._prefix_length + 1 :].to(self.args.device)
        self._supervised = targets != IGNORED
        logits: torch.Tensor = self._outputs(
            self.accelerator.unwrap_model(self.model), batch["input_ids"].to(self.args.device)
        ).logits
        return logits

    def _outputs(self, model: torch.nn.Module, ids: torch.Tensor) -> Any:
        """The model's outputs behind the common prefix, which runs through it as a single row."""
        if not self._prefix_length:
            return model(input_ids=ids, use_cache=False)
        cache = prefix_cache(decoder_of(self.accelerator.unwrap_model(model)), ids[:1, : self._prefix_length])
        return model(
            input_ids=ids[:, self._prefix_length :], past_key_values=expand_cache(cache, ids.shape[0]), use_cache=True
        )

    def _get_train_sampler(self, train_dataset: Any = None) -> GroupedSampler:
        batch = self.get_total_train_batch_size(self.args)
        several = self.accelerator.num_processes > 1  # accelerate would pad with copies of rows, which count
        return GroupedSampler(self._lengths, batch, self._order_seed, fill=several)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: the count walks through all modules at every step."""
        return 0

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs and self._regulariser is not None and self._penalties:
            logs[self._regulariser.name] = sum(self._penalties) / len(self._penalties)
            self._penalties = []
        super().log(logs, start_time)
        if "loss" in logs:
            self._step_log = self._step_log or StepLog(log, self.state.max_steps)
            self._step_log.report(self.state.global_step, logs["loss"])


def _rows_of(inputs: dict[str, torch.Tensor]) -> list[RowIds]:
    """The rows of a batch as they were before `Collator`; one without supervised tokens is left out."""
    rows = []
    for ids, labels in zip(inputs["input_ids"].tolist(), inputs["labels"].tolist(), strict=True):
        supervised = [index for index, label in enumerate(labels) if label != IGNORED]
        if supervised:
            rows.append(RowIds(ids[: supervised[-1] + 1], supervised[0]))
    return rows
