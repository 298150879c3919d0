"""Contenders of one epoch of LoRA: this project, TRL, stock transformers, and the authors' settings, imitated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from speed.work import LORA, SEED, SPEC, TRAINING, training_rows

STOCK_IMPORTS = ("peft", "transformers", "dart.student.train", "dart.student.trainer")


def ours(folder: Path) -> dict[str, Any]:
    """`dart.student.train`, as the stages call it."""
    from dart.student.train import train_adapter

    train_adapter(folder / "shape", SPEC, training_rows(folder), LORA, TRAINING, SEED, folder / "adapter")
    return {}


def trl(folder: Path, **settings: Any) -> dict[str, Any]:
    """TRL's SFTTrainer over the same conversations."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    data = Dataset.from_list(
        [
            {"prompt": list(row.messages), "completion": [{"role": "assistant", "content": row.response}]}
            for row in training_rows(folder)
        ]
    )
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(folder / "shape"),
        args=SFTConfig(
            **_optimiser(folder), max_length=TRAINING.max_length, bf16=False, completion_only_loss=True, **settings
        ),
        train_dataset=data,
        processing_class=AutoTokenizer.from_pretrained(folder / "shape"),
        peft_config=_lora_config(),
    )
    trainer.train()
    trainer.save_model(str(folder / "trl"))
    return {}


def trl_default(folder: Path) -> dict[str, Any]:
    """TRL as it comes: batches of 8, gradient checkpointing; accumulated to the common batch of 16."""
    return trl(folder, per_device_train_batch_size=8, gradient_accumulation_steps=2)


def trl_tuned(folder: Path) -> dict[str, Any]:
    """TRL with rows of similar length in batches of 16 and without gradient checkpointing."""
    return trl(
        folder, per_device_train_batch_size=16, gradient_checkpointing=False,
        train_sampling_strategy="group_by_length",
    )  # fmt: skip


def authors_imitated(folder: Path) -> dict[str, Any]:
    """The authors' documented settings: batches of 2 accumulated over 8, checkpointing, 4 loader processes, PEFT."""
    settings = {
        "per_device_train_batch_size": 2, "gradient_accumulation_steps": 8, "gradient_checkpointing": True,
        "gradient_checkpointing_kwargs": {"use_reentrant": False}, "dataloader_num_workers": 4,
    }  # fmt: skip
    return _stock(folder, settings)


def stock(folder: Path) -> dict[str, Any]:
    """transformers' Trainer with PEFT: batches of 16 of similar length, no checkpointing."""
    return _stock(folder, {"per_device_train_batch_size": 16, "train_sampling_strategy": "group_by_length"})


def loss_curves(folder: Path) -> dict[str, Any]:
    """Whether training here computes what stock tools compute: loss curves without dropout, in one order of rows."""
    from dart.core.seeds import seed_for
    from dart.student.train import train_adapter
    from dart.student.trainer import GroupedSampler

    rows, plain = training_rows(folder), LORA.model_copy(update={"dropout": 0.0})
    train_adapter(folder / "shape", SPEC, rows, plain, TRAINING, SEED, folder / "adapter-plain")
    curve = [point["loss"] for point in json.loads((folder / "adapter-plain" / "log.json").read_text())]

    def in_our_order(lengths: list[int]) -> Any:
        return GroupedSampler(lengths, 16, seed_for(SEED, "rows"))

    other = _stock(folder, {"per_device_train_batch_size": 16}, in_our_order)["curve"]
    return {"points": len(curve), "apart": max(abs(a - b) for a, b in zip(curve, other, strict=True))}


def _stock(folder: Path, settings: dict[str, Any], sampler: Any = None) -> dict[str, Any]:
    """transformers' Trainer over the rows that this project encodes; logits everywhere.

    With `sampler`, which makes an order of rows from their lengths: without dropout, from this project's weights.
    """
    import torch
    from peft import get_peft_model
    from transformers import Trainer, TrainingArguments

    from dart.student import adapter
    from dart.student.loading import load
    from dart.student.train import encode
    from dart.student.trainer import Collator

    student = load(folder / "shape", SPEC)
    encoded = encode(student, training_rows(folder), TRAINING.max_length)
    if sampler is None:
        model: Any = get_peft_model(student.model, _lora_config())
    else:
        model = adapter.attach(student, LORA.model_copy(update={"dropout": 0.0}), SEED)

    class Ordered(Trainer):
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            lengths = [len(row.ids) for row in encoded]
            return sampler(lengths) if sampler else super()._get_train_sampler(train_dataset)

    def collate(batch_rows: Any) -> dict[str, torch.Tensor]:
        rows = [encoded[row["index"]] for row in batch_rows]
        batch = Collator(student.pad_id)(rows)
        longest = batch["input_ids"].shape[1]
        mask = torch.tensor([[1] * len(row.ids) + [0] * (longest - len(row.ids)) for row in rows])
        return {**batch, "attention_mask": mask}

    data: Any = [{"index": index, "input_ids": row.ids} for index, row in enumerate(encoded)]
    arguments = TrainingArguments(**_optimiser(folder), remove_unused_columns=False, **settings)
    trainer = Ordered(model=model, args=arguments, train_dataset=data, data_collator=collate)
    trainer.train()
    trainer.save_model(str(folder / "stock"))
    return {"curve": [point["loss"] for point in trainer.state.log_history if "loss" in point]}


def _lora_config() -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=LORA.r, lora_alpha=LORA.alpha, lora_dropout=LORA.dropout, target_modules=list(LORA.target_modules),
        task_type="CAUSAL_LM",
    )  # fmt: skip


def _optimiser(folder: Path) -> dict[str, Any]:
    """What all stock contenders have in common: the published optimiser settings."""
    return {
        "output_dir": str(folder / "scratch"), "num_train_epochs": 1, "learning_rate": SPEC.learning_rate,
        "lr_scheduler_type": "cosine", "warmup_steps": 1, "max_grad_norm": TRAINING.max_grad_norm, "seed": SEED,
        "logging_steps": 1, "save_strategy": "no", "report_to": "none", "disable_tqdm": True, "use_cpu": True,
    }  # fmt: skip
