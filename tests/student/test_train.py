"""Training: the loss is that of the answers, the batch is the one asked for, equal runs give equal bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig

from dart.core.errors import DataError, ModelError, ParameterError
from dart.core.records import Item, TrainingRow
from dart.core.schema.method import GenerationParams, Lora, Training
from dart.core.schema.profile import Epochs
from dart.student import adapter, train
from dart.student.generation import generate
from dart.student.loading import load
from dart.student.train import encode, split_batch, train_adapter
from dart.student.trainer import AnswerTrainer, Collator, GroupedSampler
from tests.support.tiny_models import FAMILIES, spec, student

pytestmark = pytest.mark.training


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def trained(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    out = tmp_path_factory.mktemp("adapters") / "distilled"
    train_adapter(base, spec(), rows, lora, training, 1, out)
    return out


def test_equal_runs_give_equal_bytes_and_another_seed_does_not(
    trained: Path, base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path
) -> None:
    torch.manual_seed(99)  # what happened before must not matter
    train_adapter(base, spec(), rows, lora, training, 1, tmp_path / "again")
    assert files(tmp_path / "again") == files(trained)
    train_adapter(base, spec(), rows, lora, training, 2, tmp_path / "other")
    assert files(tmp_path / "other")[adapter.WEIGHTS] != files(trained)[adapter.WEIGHTS]


def test_an_adapter_is_complete_and_says_what_it_is(trained: Path, base: Path) -> None:
    assert sorted(files(trained)) == ["README.md", "adapter_config.json", "adapter_model.safetensors", "log.json"]
    config = json.loads((trained / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny"
    assert config["revision"] == load(base, spec()).source.revision
    assert set(config["target_modules"]) == {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"
    }  # fmt: skip
    assert (config["r"], config["lora_alpha"], config["lora_dropout"], config["bias"]) == (4, 8, 0.05, "none")
    curve = json.loads((trained / "log.json").read_text())
    assert [point["step"] for point in curve] == list(range(1, 9))  # ceil(14 / 4) steps x 2 epochs
    assert set(curve[0]) == {"step", "epoch", "loss", "learning_rate"}
    card = (trained / "README.md").read_text()
    for fact in (config["revision"], "Content warning", "Intended use", "| optimiser steps | 8 |", "base_model: tiny"):
        assert fact in card
    machine = [str(base), str(trained), str(Path.cwd())]
    assert not any(name in content.decode(errors="ignore") for name in machine for content in files(trained).values())


def test_a_slot_has_epochs_and_a_learning_rate_of_its_own_in_each_stage(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path
) -> None:
    """14 rows in batches of 4: three epochs are 12 steps, one is 4; the peak of the rate is that of the stage."""
    own = spec(learning_rate=0.01, epochs=Epochs(stage1=3, stage3=1), stage3_learning_rate=0.002)
    train_adapter(base, own, rows, lora, training, 1, tmp_path / "first")
    train_adapter(base, own, rows, lora, training, 1, tmp_path / "second", start_from=tmp_path / "first")
    for name, steps, rate in (("first", 12, 0.01), ("second", 4, 0.002)):
        curve = json.loads((tmp_path / name / "log.json").read_text())
        assert len(curve) == steps
        assert max(point["learning_rate"] for point in curve) == pytest.approx(rate, rel=0.2)
        assert f"| learning rate | {rate} |" in (tmp_path / name / "README.md").read_text()


def test_every_target_module_is_trained(trained: Path) -> None:
    weights = load_file(trained / adapter.WEIGHTS)
    assert len(weights) == 2 * 7 * 2  # A and B, seven modules, two layers
    assert all(weight.abs().sum() > 0 for weight in weights.values())  # B starts at zero


def test_the_first_loss_is_the_mean_over_the_answers_tokens(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path
) -> None:
    """One step over all rows in batches of 4, against a plain forward pass: accumulation must not change the mean."""
    settings = training.model_copy(update={"global_batch": 16, "epochs": 1})
    train_adapter(base, spec(batch_per_device=4), rows, lora, settings, 1, tmp_path / "a")
    logged = json.loads((tmp_path / "a" / "log.json").read_text())[0]["loss"]

    base_student = load(base, spec())
    total, count = 0.0, 0
    for row in encode(base_student, rows, settings.max_length):
        ids = torch.tensor([row.ids])
        logits = base_student.model(input_ids=ids).logits[0, row.n_prompt - 1 : -1]
        total += cross_entropy(logits, ids[0, row.n_prompt :], reduction="sum").item()
        count += len(row.ids) - row.n_prompt
    assert logged == pytest.approx(total / count, rel=1e-5)  # an adapter's first output is the base's


def test_training_learns(base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path) -> None:
    train_adapter(base, spec(learning_rate=0.05), rows, lora, training, 1, tmp_path / "a", steps=30)
    curve = json.loads((tmp_path / "a" / "log.json").read_text())
    assert curve[-1]["step"] == 30
    assert curve[-1]["loss"] < curve[0]["loss"] - 1


def test_an_adapter_is_continued_and_not_started_anew(
    trained: Path, base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path
) -> None:
    train_adapter(base, spec(learning_rate=1e-9), rows, lora, training, 1, tmp_path / "c", start_from=trained, steps=1)
    before, after = load_file(trained / adapter.WEIGHTS), load_file(tmp_path / "c" / adapter.WEIGHTS)
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in before)
    assert f"| continued from | {adapter.fingerprint(trained)} |" in (tmp_path / "c" / "README.md").read_text()
    train_adapter(base, spec(learning_rate=0.05), rows, lora, training, 1, tmp_path / "d", start_from=trained, steps=2)
    moved = load_file(tmp_path / "d" / adapter.WEIGHTS)
    assert any((before[name] - moved[name]).abs().max() > 1e-3 for name in before)


def test_an_adapter_of_another_base_is_refused_naming_both(
    trained: Path, base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path
) -> None:
    other = student(tmp_path / "other", "llama", seed=7)
    here, there = (load(folder, spec()).source.revision for folder in (base, other))
    with pytest.raises(ModelError, match=rf"{here}.*{there}"):
        train_adapter(other, spec(), rows, lora, training, 1, tmp_path / "x", start_from=trained)
    assert not (tmp_path / "x").exists()


def test_an_adapter_is_not_continued_under_other_settings(
    trained: Path, base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path
) -> None:
    wider = lora.model_copy(update={"r": 8})
    with pytest.raises(ModelError, match=r"r: 4 in the adapter, 8 in params.yaml"):
        train_adapter(base, spec(), rows, wider, training, 1, tmp_path / "x", start_from=trained)


def test_copies_of_a_row_count(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path
) -> None:
    """Severity weights act through copies; none may be removed on the way to the optimiser (published fault 1)."""
    train_adapter(base, spec(), [*rows, *rows[:2] * 3], lora, training, 1, tmp_path / "a")
    card = (tmp_path / "a" / "README.md").read_text()
    assert "| rows | 20 |" in card
    assert "| optimiser steps | 10 |" in card


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"llama"}))
def test_every_family_can_be_trained(
    family: str, bases: dict[str, Path], rows: list[TrainingRow], lora: Lora, training: Training,
    tmp_path: Path,
) -> None:  # fmt: skip
    train_adapter(bases[family], spec(), rows[:4], lora, training, 1, tmp_path / "a", steps=1)
    assert len(load_file(tmp_path / "a" / adapter.WEIGHTS)) == 28


@pytest.mark.parametrize(("precision", "quantize"), [("bf16", "none"), ("bf16", "nf4")])
def test_a_student_of_lower_precision_is_trained_and_asked(
    precision: str, quantize: str, rows: list[TrainingRow], lora: Lora, training: Training,
    items: list[Item], tmp_path: Path,
) -> None:  # fmt: skip
    folder = student(tmp_path / "base", "llama", hidden=64)  # NF4 packs blocks of 64
    lower = spec(precision=precision, quantize=quantize)
    if quantize == "nf4":
        kinds = {type(module).__name__ for module in load(folder, lower).model.modules()}
        assert "Linear4bit" in kinds
    train_adapter(folder, lower, rows, lora, training, 1, tmp_path / "a")
    assert {weight.dtype for weight in load_file(tmp_path / "a" / adapter.WEIGHTS).values()} == {torch.float32}
    decoding = GenerationParams(max_new_tokens=4, temperature=0.0, top_p=1.0)
    assert len(generate(folder, lower, {"a": tmp_path / "a"}, items, decoding, 1)["a"]) == len(items)


def test_a_loss_that_is_not_finite_writes_nothing(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="Lower the learning_rate"):
        train_adapter(base, spec(learning_rate=1e30), rows, lora, training, 1, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_while_writing_leaves_the_old_adapter_whole(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    train_adapter(base, spec(), rows, lora, training, 1, tmp_path / "a", steps=1)
    before = files(tmp_path / "a")

    def full_disk(*_arguments: object, **_options: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(train, "write_json", full_disk)
    with pytest.raises(OSError, match="no space"):
        train_adapter(base, spec(), rows, lora, training, 2, tmp_path / "a", steps=1)
    assert files(tmp_path / "a") == before
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_killed_training_goes_on_and_ends_with_the_same_bytes(
    trained: Path, base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(train, "is_small", lambda _model: False)  # as if it were worth it
    whole_step = AnswerTrainer.training_step
    done: list[int] = []

    def step(self: AnswerTrainer, *arguments: object, **options: object) -> torch.Tensor:
        done.append(self.state.global_step)
        if len(done) == 6:
            raise KeyboardInterrupt
        return whole_step(self, *arguments, **options)

    monkeypatch.setattr(AnswerTrainer, "training_step", step)
    with pytest.raises(KeyboardInterrupt):
        train_adapter(base, spec(), rows, lora, training, 1, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (torn,) = (tmp_path / "cache" / "training").iterdir()
    (torn / "checkpoint-99").mkdir()  # as a kill in the middle of writing leaves it
    train_adapter(base, spec(), rows, lora, training, 1, tmp_path / "out")
    assert done[6:] == [5, 6, 7]  # of 8 steps, those after the checkpoint
    assert files(tmp_path / "out") == files(trained)
    assert list((tmp_path / "cache" / "training").iterdir()) == []


def test_modules_that_the_model_does_not_have_are_named(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="no_such_module"):
        train_adapter(
            base,
            spec(),
            rows,
            lora.model_copy(update={"target_modules": ("no_such_module",)}),
            training,
            1,
            tmp_path / "a",
        )


def test_nothing_to_train_on_is_an_error(base: Path, lora: Lora, training: Training, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="empty list of rows"):
        train_adapter(base, spec(), [], lora, training, 1, tmp_path / "a")


def test_no_steps_are_not_all_steps(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path
) -> None:
    with pytest.raises(ParameterError, match="steps is 0"):
        train_adapter(base, spec(), rows, lora, training, 1, tmp_path / "a", steps=0)


def test_layers_are_recomputed_only_where_memory_asks_for_it() -> None:
    llama_8b = LlamaConfig(hidden_size=4096, intermediate_size=14_336, num_hidden_layers=32)
    tokens = 4 * 1024  #: the profile's batch at full length
    assert train.lacks_memory(llama_8b, tokens, "bf16", 24 << 30)
    assert not train.lacks_memory(llama_8b, tokens, "bf16", 120 << 30)
    assert train.lacks_memory(llama_8b, tokens, "fp32", 60 << 30)
    assert not train.lacks_memory(llama_8b, tokens, "fp32", None)


def test_training_with_recomputed_layers_gives_the_same_adapter(
    trained: Path, base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(train, "lacks_memory", lambda *_arguments: True)
    train_adapter(base, spec(), rows, lora, training, 1, tmp_path / "a")
    expected, actual = (load_file(folder / adapter.WEIGHTS) for folder in (trained, tmp_path / "a"))
    assert all(torch.allclose(expected[name], actual[name], atol=1e-5) for name in expected)


@pytest.mark.parametrize(
    ("processes", "per_device", "expected"),
    [(1, 16, (16, 1)), (1, 4, (4, 4)), (8, 16, (2, 1)), (2, 4, (4, 2)), (1, 64, (16, 1))],
)
def test_the_global_batch_is_made_of_the_processes_batches(
    processes: int, per_device: int, expected: tuple[int, int]
) -> None:
    assert split_batch(16, processes, per_device) == expected


@pytest.mark.parametrize(("processes", "per_device"), [(1, 5), (3, 4), (32, 1)])
def test_a_global_batch_that_cannot_be_made_is_an_error(processes: int, per_device: int) -> None:
    with pytest.raises(ParameterError, match="16 is not a multiple"):
        split_batch(16, processes, per_device)


def test_rows_come_in_batches_of_similar_length_and_each_once() -> None:
    lengths = [(number * 37) % 101 + 1 for number in range(203)]
    sampler = GroupedSampler(lengths, batch=8, seed=1)
    first = list(sampler)
    assert sorted(first) == list(range(203))
    assert first == list(GroupedSampler(lengths, batch=8, seed=1))
    sampler.set_epoch(1)
    assert list(sampler) != first
    spread = [max(group) - min(group) for group in _batches([lengths[index] for index in first], 8)]
    assert sum(spread) / len(spread) < 20  # of 100; about 80 in random order


def _batches(values: list[int], size: int) -> list[list[int]]:
    return [values[start : start + size] for start in range(0, len(values), size)]


def test_a_batch_supervises_the_answers_alone(base: Path, rows: list[TrainingRow]) -> None:
    encoded = encode(load(base, spec()), rows, 256)
    batch = Collator(pad_id=5)(encoded)
    for row, labels in zip(encoded, batch["labels"].tolist(), strict=True):
        assert [label for label in labels if label != -100] == row.ids[row.n_prompt :]
        assert set(labels[: row.n_prompt]) == {-100}
