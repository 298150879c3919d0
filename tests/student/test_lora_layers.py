"""Adding an adapter's product in place gives PEFT's own results, bit for bit at a scale that is a power of two."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft.tuners.lora.layer import Linear

from dart.core.records import TrainingRow
from dart.core.schema.method import Lora, Training
from dart.student import adapter
from dart.student.loading import load
from dart.student.lora_layers import FusedLoraLinear
from dart.student.train import train_adapter
from tests.support.tiny_models import spec

pytestmark = pytest.mark.training


@pytest.mark.parametrize("family", ["llama", "qwen2"])  # without and with a bias
def test_training_gives_the_bytes_of_peft(
    family: str, bases: dict[str, Path], rows: list[TrainingRow], lora: Lora, training: Training,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    train_adapter(bases[family], spec(), rows, lora, training, 1, tmp_path / "ours")
    with monkeypatch.context() as patched:
        patched.setattr(FusedLoraLinear, "forward", Linear.forward)
        train_adapter(bases[family], spec(), rows, lora, training, 1, tmp_path / "peft")
    ours, reference = ((tmp_path / name / adapter.WEIGHTS).read_bytes() for name in ("ours", "peft"))
    assert ours == reference


def test_it_is_used_and_can_be_switched_off(base: Path, lora: Lora) -> None:
    student = load(base, spec())
    ids = torch.tensor([[3, 5, 7]])
    plain = student.model(ids).logits
    model = adapter.attach(student, lora, 1).eval()
    layers = [module for module in model.modules() if isinstance(module, Linear)]
    assert {type(layer) for layer in layers} == {FusedLoraLinear}
    with torch.no_grad():
        for layer in layers:
            layer.lora_B["default"].weight.fill_(0.1)
        assert not torch.allclose(model(ids).logits, plain)
        with model.disable_adapter():
            assert torch.equal(model(ids).logits, plain)
