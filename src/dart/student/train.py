"""Fine-tune a student on rationales (Section 2.3) or continue its adapter on the repaired mix (Section 2.5).

Stage I and Stage III differ in their rows and in where the adapter starts, in nothing else (Appendix C.2).
"""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, prepare_model_for_kbit_training
from transformers import TrainingArguments

from dart.core.devices import is_small
from dart.core.errors import DataError, ModelError, ParameterError
from dart.core.files import replacing, write_json
from dart.core.portable import portable_arithmetic
from dart.core.records import TrainingRow
from dart.core.schema.method import Lora, Training
from dart.core.schema.profile import TrainedStudent
from dart.core.seeds import digest, seed_for
from dart.student import adapter
from dart.student.card import model_card
from dart.student.checkpoints import checkpoint_folder, last_checkpoint
from dart.student.loading import Student, load
from dart.student.prefix import common_prefix_length
from dart.student.regulariser import Regulariser
from dart.student.template import RowIds
from dart.student.trainer import AnswerTrainer, Collator
from dart.student.training_run import TrainingResult, TrainingRun

log = logging.getLogger(__name__)
_CURVE_POINTS = 100  # of the loss curve, about
_USABLE = 0.8  # of the free memory, by activations; the rest is for logits and fragmentation
_CHECKPOINTS = 10  # of a training that is worth resuming, about


def train_adapter(
    base_dir: Path,
    spec: TrainedStudent,
    rows: Sequence[TrainingRow],
    lora: Lora,
    training: Training,
    seed: int,
    out: Path,
    start_from: Path | None = None,
    steps: int | None = None,
    regulariser: Regulariser | None = None,
) -> None:
    """Train a LoRA adapter and write it to `out`: weights, configuration, card, loss curve.

    Args:
        base_dir: a checkpoint, or a pin (see `dart.core.hub.resolve`).
        rows: may contain copies, which are the severity weights.
        start_from: folder of an adapter of the same base to continue; None starts a new one.
        steps: optimiser steps instead of epochs, which are those of Stage III for an adapter that is continued.
        regulariser: added to the cross entropy (Eq. 2), unless its weight is 0.

    Raises:
        DataError: `rows` is empty, or a row cannot be supervised.
        ParameterError: `steps` is below 1, the global batch is not a multiple of the processes' batches, or the
            regulariser needs the whole model under FSDP.
        ModelError: base or adapter cannot be used, or the loss is not finite.
    """
    if not rows:
        raise DataError("Cannot train on an empty list of rows. Were all rationales rejected?")
    if steps is not None and steps < 1:
        raise ParameterError(f"steps is {steps}; it must be an integer >= 1, or None to train for whole epochs.")
    if regulariser is not None and regulariser.weight == 0:
        regulariser = None  # plain training, to the byte
    lora = adapter.settings_of(start_from, lora)
    student = load(adapter.base_of(start_from, base_dir), spec)
    encoded = encode(student, rows, training.max_length)
    model = add_adapter(student, spec, lora, seed, start_from)
    data = digest([row.model_dump() for row in rows])[:16]
    start = adapter.fingerprint(start_from) if start_from else None
    run = TrainingRun(student.source, spec, lora, training, seed, data, start, steps, regulariser)
    # A small student is trained faster than its checkpoint is read.
    resumable = not is_small(student.model)
    with portable_arithmetic(student.model), checkpoint_folder(run.identity if resumable else None) as scratch:
        trainer = _trainer(run, student, model, encoded, _arguments(run, student, encoded, scratch, resumable))
        checkpoint = last_checkpoint(scratch)
        if checkpoint:
            log.info("resuming from %s of a run that was stopped", checkpoint.name)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        write_adapter(trainer, student, run, encoded, out, start_from)
        trainer.accelerator.wait_for_everyone()  # no process may read the adapter before it is complete


def write_adapter(
    trainer: Any, student: Student, run: TrainingRun, encoded: Sequence[RowIds], out: Path, start_from: Path | None
) -> None:
    """Write the adapter's folder: from one process, all of it or nothing.

    Args:
        start_from: the adapter that was continued.

    Raises:
        ModelError: the loss is not finite.
    """
    added = [run.regulariser.name] if run.regulariser else []
    keys = ("step", "epoch", "loss", "learning_rate", *added)
    curve = [
        {key: point[key] for key in keys if key in point} for point in trainer.state.log_history if "loss" in point
    ]
    steps, loss = trainer.state.global_step, curve[-1]["loss"]
    if not math.isfinite(loss):
        raise ModelError(
            f"The loss of {run.spec.name} became {loss} within {steps} steps: nothing was written. "
            "Lower the learning_rate of this student in the profile."
        )
    # Under FSDP a process holds a shard of each weight, and gathering them takes all processes.
    gathered = trainer.accelerator.get_state_dict(trainer.model) if trainer.is_fsdp_enabled else None
    if not trainer.is_world_process_zero():
        return
    model: Any = trainer.accelerator.unwrap_model(trainer.model)
    result = TrainingResult(
        rows=len(encoded),
        supervised_tokens=sum(len(row.ids) - row.n_prompt for row in encoded),
        parameters=sum(weight.numel() for weight in model.parameters() if weight.requires_grad),
        steps=steps,
        loss=loss,
    )
    with replacing(out) as folder:
        folder.mkdir()
        adapter.save(model, student, run.spec.name, folder, gathered)
        write_json(folder / "log.json", curve, digits=8)
        (folder / "README.md").write_text(model_card(run, result), encoding="utf-8")
        adapter.carry_origin(start_from, folder)


def encode(student: Student, rows: Sequence[TrainingRow], max_length: int) -> list[RowIds]:
    """Token ids of all rows; copies of a row are encoded once.

    Raises:
        DataError: a response that is empty or too long (its key is named).
    """
    by_content: dict[str, RowIds] = {}
    encoded: list[RowIds] = []
    for row in rows:
        content = json.dumps([row.messages, row.response])
        if content not in by_content:
            by_content[content] = student.template.row_ids(row.messages, row.response, max_length, row.key)
        encoded.append(by_content[content])
    return encoded


def add_adapter(student: Student, spec: TrainedStudent, lora: Lora, seed: int, start_from: Path | None) -> PeftModel:
    """The student with a new adapter, or with the one in `start_from`, to be trained.

    Raises:
        ModelError: the adapter belongs to another base, or was trained under other settings.
    """
    if spec.quantize == "nf4":  # chosen where memory is short: store layer inputs only and recompute the rest
        prepared = prepare_model_for_kbit_training(
            student.model, use_gradient_checkpointing=True, gradient_checkpointing_kwargs={"use_reentrant": False}
        )
        student = student._replace(model=prepared)
    if start_from is None:
        return adapter.attach(student, lora, seed)
    adapter.check_base(student.source, start_from)
    adapter.check_settings(start_from, lora)
    return adapter.load_adapter(student, start_from, trainable=True)


def _arguments(
    run: TrainingRun, student: Student, encoded: list[RowIds], scratch: Path, resumable: bool
) -> TrainingArguments:
    """The Trainer's arguments; the global batch is split over processes and passes."""
    training = run.training
    total = run.steps or run.spec.epochs_of(run.stage, training) * math.ceil(len(encoded) / training.global_batch)
    arguments = TrainingArguments(**trainer_settings(run, student, encoded, total, scratch, resumable))
    split_global_batch(arguments, training.global_batch, run.spec.batch_per_device)
    return arguments


def trainer_settings(
    run: TrainingRun, student: Student, encoded: Sequence[RowIds], total: int, scratch: Path, resumable: bool
) -> dict[str, Any]:
    """Settings that are common to every trainer, for `total` optimiser steps."""
    spec, training = run.spec, run.training
    on_gpu = student.device.type == "cuda"
    longest = max(len(row.ids) for row in encoded)
    free = torch.cuda.mem_get_info(student.device)[0] if on_gpu else None
    recompute = spec.quantize == "none" and lacks_memory(
        student.model.config, min(spec.batch_per_device, training.global_batch) * longest, spec.precision, free
    )
    return {
        "output_dir": str(scratch),
        "max_steps": total,
        "learning_rate": spec.learning_rate_of(run.stage),
        "lr_scheduler_type": "cosine",
        "warmup_steps": math.ceil(total * training.warmup_ratio),
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.max_grad_norm,
        "optim": "adamw_torch_fused",
        "bf16": spec.precision == "bf16",
        "gradient_checkpointing": recompute,
        "gradient_checkpointing_kwargs": {"use_reentrant": False} if recompute else None,
        "use_cpu": not on_gpu,
        "seed": seed_for(run.seed, "dropout"),
        "logging_steps": max(1, total // _CURVE_POINTS),
        "logging_nan_inf_filter": False,  # a loss that is not finite must show, not be replaced by the mean
        "save_strategy": "steps" if resumable else "no",
        "save_steps": max(1, total // _CHECKPOINTS),
        "save_total_limit": 2,  # the last may be incomplete after a kill
        "report_to": "none",
        "disable_tqdm": not sys.stderr.isatty(),
        "dataloader_pin_memory": on_gpu,
        "remove_unused_columns": False,
        "ddp_find_unused_parameters": False,
    }


def split_global_batch(arguments: TrainingArguments, global_batch: int, per_device: int) -> None:
    """Let the processes of `arguments` share `global_batch` examples, one device per process.

    Raises:
        ParameterError: no such split exists.
    """
    batch, accumulation = split_batch(global_batch, arguments.world_size, per_device)
    arguments.per_device_train_batch_size = batch
    arguments.gradient_accumulation_steps = accumulation
    arguments._n_gpu = min(arguments.n_gpu, 1)  # one device per process: the launcher starts several processes
    effective = arguments.world_size * arguments.train_batch_size * arguments.gradient_accumulation_steps
    assert effective == global_batch, f"global batch {effective}, not {global_batch}"


def _trainer(
    run: TrainingRun, student: Student, model: PeftModel, encoded: list[RowIds], arguments: TrainingArguments
) -> AnswerTrainer:
    # A model that recomputes its layers in the backward pass has no keys and values to share.
    recomputes = arguments.gradient_checkpointing or run.spec.quantize == "nf4"
    return AnswerTrainer(
        model,
        arguments,
        Collator(student.pad_id),
        _Rows(encoded),
        lengths=[len(row.ids) for row in encoded],
        order_seed=seed_for(run.seed, "rows"),
        prefix_length=0 if recomputes else common_prefix_length([row.ids[: row.n_prompt] for row in encoded]),
        student=student,
        regulariser=run.regulariser,
    )


def lacks_memory(config: Any, tokens: int, precision: str, free: int | None) -> bool:
    """Whether the activations of `tokens` do not fit `free` bytes, so that layers are recomputed.

    Counted per token and layer: sixteen vectors of the hidden size (norms, projections, attention, residuals) and six
    of the intermediate size, adapters' inputs included. Without a figure (a CPU) memory counts as sufficient.
    """
    if free is None:
        return False
    width = 16 * config.hidden_size + 6 * config.intermediate_size
    needed = tokens * config.num_hidden_layers * width * (2 if precision == "bf16" else 4)
    return needed > _USABLE * free


class _Rows(torch.utils.data.Dataset[Any]):
    """Encoded rows for the Trainer; behind the last one stands a prompt without supervised tokens, for padding."""

    def __init__(self, encoded: list[RowIds]) -> None:
        self.encoded = encoded

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, index: int) -> RowIds:
        if index == len(self.encoded):
            first = self.encoded[0]
            return RowIds(first.ids[: first.n_prompt], first.n_prompt)
        return self.encoded[index]


def split_batch(global_batch: int, processes: int, per_device: int) -> tuple[int, int]:
    """(rows per device and backward pass, passes per optimiser step) whose product over processes is `global_batch`.

    Raises:
        ParameterError: no such split exists.
    """
    batch = min(per_device, max(1, global_batch // processes))
    if global_batch % (batch * processes):
        raise ParameterError(
            f"training.global_batch {global_batch} is not a multiple of {processes} process(es) x batch_per_device "
            f"{batch}. Change batch_per_device in the profile or the number of processes."
        )
    return batch, global_batch // (batch * processes)
