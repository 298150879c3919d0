"""Tiny checkpoints, built once per session and never written to."""

from __future__ import annotations

from pathlib import Path

import pytest

from dart.core.records import Item, TrainingRow
from dart.core.schema.method import Lora, Training
from tests.support import tiny_models

WORDS = tiny_models.CORPUS.replace(":", "").split()


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A random student of each family."""
    folder = tmp_path_factory.mktemp("bases")
    return {family: tiny_models.student(folder / family, family) for family in tiny_models.FAMILIES}


@pytest.fixture(scope="session")
def base(bases: dict[str, Path]) -> Path:
    return bases["llama"]


@pytest.fixture(scope="session")
def lora() -> Lora:
    modules = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    return Lora(r=4, alpha=8, dropout=0.05, target_modules=modules)


@pytest.fixture(scope="session")
def training() -> Training:
    return Training(epochs=2, global_batch=4, warmup_ratio=0.1, weight_decay=0.0, max_grad_norm=1.0, max_length=256)


@pytest.fixture(scope="session")
def rows() -> list[TrainingRow]:
    """14 rows of different lengths, so that batches are padded and the last one is short."""
    training_rows = []
    for number in range(14):
        prompt = " ".join(WORDS[number : number + 4 + 3 * (number % 5)])
        answer = " ".join(WORDS[-5 - number % 7 :]) + f".\nConclusion: {'YES' if number % 2 else 'NO'}"
        messages = ({"role": "system", "content": "Classify."}, {"role": "user", "content": prompt})
        training_rows.append(TrainingRow(key=f"row-{number}", messages=messages, response=answer))
    return training_rows


@pytest.fixture(scope="session")
def items() -> list[Item]:
    return [
        Item(
            id=f"D1-DIFF-{number}", benchmark="D1", condition="DIFF", gold="YES",
            prompt=" ".join(WORDS[number : number + 3 + 2 * (number % 6)]), scenario=str(number),
        )
        for number in range(11)
    ]  # fmt: skip
