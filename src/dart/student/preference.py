"""Continue an adapter by preferring safe rationales to drifted ones: DPO and ORPO, with TRL's losses.

Not in the paper, whose repair imitates safe rationales only and never sees what they replace. TRL's trainers tokenise
by rules of their own; here they get the ids of `dart.student.template`, so that training and inference see the same
prompts. For DPO the reference is the adapter that training starts from.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")  # ORPO lives there; the version of TRL is pinned

from datasets import Dataset, disable_progress_bars
from transformers import PrinterCallback, TrainerCallback
from trl.experimental.orpo.orpo_config import ORPOConfig
from trl.experimental.orpo.orpo_trainer import ORPOTrainer
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from dart.core.devices import is_small
from dart.core.errors import DataError, ParameterError
from dart.core.portable import portable_arithmetic
from dart.core.records import PreferencePair, TrainingRow
from dart.core.schema.method import Lora, Training
from dart.core.schema.profile import TrainedStudent
from dart.core.seeds import digest
from dart.core.step_log import StepLog
from dart.student import adapter
from dart.student.checkpoints import checkpoint_folder, last_checkpoint
from dart.student.loading import load
from dart.student.template import RowIds
from dart.student.train import add_adapter, encode, log, split_global_batch, trainer_settings, write_adapter
from dart.student.training_run import TrainingRun

Preference = Literal["dpo", "orpo"]
_COST: Mapping[Preference, int] = {"dpo": 4, "orpo": 2}  # of a pair, in sequences
disable_progress_bars()


def train_preference(
    base_dir: Path,
    spec: TrainedStudent,
    pairs: Sequence[PreferencePair],
    lora: Lora,
    training: Training,
    objective: Preference,
    strength: float,
    seed: int,
    out: Path,
    start_from: Path,
    steps: int,
) -> None:
    """Train the adapter in `start_from` on pairs and write it to `out`, as `dart.student.train.train_adapter` does.

    A pair is two sequences, which DPO's reference reads as well: so a step has half of `training.global_batch` pairs
    for ORPO and a quarter for DPO, which costs no more than a step on rows.

    Args:
        strength: DPO's beta, the weight of the reference; ORPO's lambda, the weight of the odds ratio.

    Raises:
        DataError: `pairs` is empty, or an answer cannot be supervised.
        ParameterError: the global batch is not a multiple of the sequences, or cannot be split over the processes.
        ModelError: base or adapter cannot be used, or the loss is not finite.
    """
    if not pairs:
        raise DataError("Cannot train on an empty list of pairs.")
    cost = _COST[objective]
    if training.global_batch % cost:
        raise ParameterError(
            f"training.global_batch is {training.global_batch}; {objective} needs a multiple of {cost}, because a pair "
            "costs as much as so many rows."
        )
    lora = adapter.settings_of(start_from, lora)
    student = load(adapter.base_of(start_from, base_dir), spec)
    chosen, rejected = (
        encode(student, [_row(pair, text) for pair, text in zip(pairs, texts, strict=True)], training.max_length)
        for texts in ([pair.chosen for pair in pairs], [pair.rejected for pair in pairs])
    )
    model = add_adapter(student, spec, lora, seed, start_from)
    data = digest([pair.model_dump() for pair in pairs])[:16]
    run = TrainingRun(
        student.source, spec, lora, training, seed, data, adapter.fingerprint(start_from), steps, None,
        f"{objective} {strength}",
    )  # fmt: skip
    resumable = not is_small(student.model)
    with portable_arithmetic(student.model), checkpoint_folder(run.identity if resumable else None) as scratch:
        settings = trainer_settings(run, student, [*chosen, *rejected], steps, scratch, resumable)
        settings |= {"beta": strength, "max_length": training.max_length}
        arguments: Any = DPOConfig(**settings) if objective == "dpo" else ORPOConfig(**settings)
        split_global_batch(arguments, training.global_batch // cost, max(1, spec.batch_per_device // cost))
        student.tokenizer.pad_token_id = student.pad_id
        trainer = (_DPOTrainer if objective == "dpo" else _ORPOTrainer)(
            model=model,
            args=arguments,
            train_dataset=Dataset.from_list([_ids(*pair) for pair in zip(chosen, rejected, strict=True)]),
            processing_class=student.tokenizer,
            callbacks=[_StepLogCallback()],
        )
        trainer.remove_callback(PrinterCallback)
        checkpoint = last_checkpoint(scratch)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        write_adapter(trainer, student, run, [*chosen, *rejected], out, start_from)
        trainer.accelerator.wait_for_everyone()


def _row(pair: PreferencePair, text: str) -> TrainingRow:
    return TrainingRow(key=pair.key, messages=pair.messages, response=text)


def _ids(chosen: RowIds, rejected: RowIds) -> dict[str, Any]:
    """A pair in TRL's words; the texts are empty, because the ids are made already.

    A long prompt may have lost more of its beginning beside one answer than beside the other; both get the shorter one.
    """
    n_prompt = min(chosen.n_prompt, rejected.n_prompt)
    prompt = (chosen if chosen.n_prompt == n_prompt else rejected).ids[:n_prompt]
    return {
        "prompt": "", "chosen": "", "rejected": "",
        "prompt_ids": prompt,
        "chosen_ids": chosen.ids[chosen.n_prompt :], "rejected_ids": rejected.ids[rejected.n_prompt :],
    }  # fmt: skip


class _DPOTrainer(DPOTrainer):
    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset


class _ORPOTrainer(ORPOTrainer):
    def tokenize_row(self, feature: Mapping[str, Any], model: Any = None) -> dict[str, list[int]]:
        """The columns of TRL's collator from the ids of the pair."""
        columns = _masked("prompt_", [], feature["prompt_ids"])
        for side in ("chosen", "rejected"):
            columns |= _masked(f"{side}_", feature["prompt_ids"], feature[f"{side}_ids"])
        return columns


def _masked(name: str, prompt: Sequence[int], answer: Sequence[int]) -> dict[str, list[int]]:
    ids = [*prompt, *answer]
    return {
        f"{name}input_ids": ids,
        f"{name}attention_mask": [1] * len(ids),
        f"{name}labels": [-100] * len(prompt) + list(answer),
    }


class _StepLogCallback(TrainerCallback):
    def __init__(self) -> None:
        self._log: StepLog | None = None

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float] | None = None, **_: Any) -> None:
        if logs and "loss" in logs:
            self._log = self._log or StepLog(log, state.max_steps)
            self._log.report(state.global_step, logs["loss"])
