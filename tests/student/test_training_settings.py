"""What the Trainer is told: schedule, steps, seeds and order of rows, without training anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dart.core.records import TrainingRow
from dart.core.schema.method import Lora, Training
from dart.student import train
from dart.student.train import train_adapter
from dart.student.trainer import GroupedSampler
from tests.support.tiny_models import spec


class ReachedTrainer(Exception):
    """Raised in the Trainer's place, with its arguments."""


def _settings(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> Any:
    def trainer(_model: Any, arguments: Any, *_args: Any, **named: Any) -> None:
        raise ReachedTrainer(arguments, named["order_seed"])

    monkeypatch.setattr(train, "AnswerTrainer", trainer)
    with pytest.raises(ReachedTrainer) as reached:
        train_adapter(base, spec(), rows, lora, training, options.pop("seed", 1), Path("nowhere"), **options)
    return reached.value.args


def test_the_rate_rises_in_the_warm_up_and_falls_as_a_cosine(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    longer = training.model_copy(update={"warmup_ratio": 0.25, "weight_decay": 0.1, "max_grad_norm": 0.5})
    arguments, _ = _settings(base, rows, lora, longer, monkeypatch)
    assert arguments.lr_scheduler_type == "cosine"
    assert (arguments.max_steps, arguments.warmup_steps) == (8, 2)  # ceil(14 / 4) steps x 2 epochs
    assert (arguments.weight_decay, arguments.max_grad_norm) == (0.1, 0.5)
    assert arguments.train_batch_size * arguments.gradient_accumulation_steps == training.global_batch


def test_a_control_takes_the_steps_that_it_is_given(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, _ = _settings(base, rows, lora, training, monkeypatch, steps=3)
    assert arguments.max_steps == 3


def test_a_training_seed_decides_dropout_and_order(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = [_settings(base, rows, lora, training, monkeypatch, seed=seed) for seed in (1, 1, 2)]
    (first, order), (again, same_order), (other, other_order) = drawn
    assert (first.seed, order) == (again.seed, same_order)
    assert first.seed != other.seed
    assert order != other_order


def test_the_order_of_the_rows_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        sampler = GroupedSampler([5] * 40, 4, seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(1, 0) == order(1, 0)
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (0, 1)}) == 4
    assert sorted(order(1, 1)) == list(range(40))
