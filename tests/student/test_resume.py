"""kill -9 in the middle of a training and of a generation: what was done is kept, and the end is the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dart.core.files import write_jsonl
from dart.core.records import Item, TrainingRow
from dart.core.schema.method import GenerationParams, Lora, Training
from dart.student import generation, train
from dart.student.generation import generate
from dart.student.train import train_adapter
from dart.student.trainer import AnswerTrainer
from tests.support.tiny_models import spec

pytestmark = pytest.mark.training

ROOT = Path(__file__).resolve().parents[2]
GREEDY = GenerationParams(max_new_tokens=12, temperature=0.0, top_p=1.0)
SCRIPT = """
import os
import signal
import sys
from pathlib import Path
from dart.core.files import read_jsonl
from dart.core.records import TrainingRow
from dart.core.schema.method import Lora, Training
from dart.student import train
from dart.student.trainer import AnswerTrainer
from tests.support.tiny_models import spec

base, work = Path(sys.argv[1]), Path(sys.argv[2])
lora, training = Lora.model_validate_json(sys.argv[3]), Training.model_validate_json(sys.argv[4])
train.is_small = lambda _model: False  # as if it were worth keeping checkpoints
whole_step, done = AnswerTrainer.training_step, []


def step(self, *arguments, **options):
    done.append(self.state.global_step)
    if len(done) == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole_step(self, *arguments, **options)


AnswerTrainer.training_step = step
train.train_adapter(base, spec(), read_jsonl(work / "rows.jsonl", TrainingRow), lora, training, 1, work / "out")
"""


@pytest.mark.slow
def test_a_training_after_kill_9_ends_with_the_same_bytes(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    train_adapter(base, spec(), rows, lora, training, 1, tmp_path / "whole")
    write_jsonl(tmp_path / "rows.jsonl", rows)
    (tmp_path / "script.py").write_text(SCRIPT)

    settings = [lora.model_dump_json(), training.model_dump_json()]
    killed = subprocess.run(
        [sys.executable, str(tmp_path / "script.py"), str(base), str(tmp_path), *settings],
        env={**os.environ, "DART_CACHE_DIR": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1",
             "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    assert not (tmp_path / "out").exists()

    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(train, "is_small", lambda _model: False)
    whole_step, done = AnswerTrainer.training_step, []

    def step(self: AnswerTrainer, *arguments: object, **options: object) -> torch.Tensor:
        done.append(self.state.global_step)
        return whole_step(self, *arguments, **options)

    monkeypatch.setattr(AnswerTrainer, "training_step", step)
    train_adapter(base, spec(), rows, lora, training, 1, tmp_path / "out")
    assert done == [5, 6, 7]  # of 8 steps, those after the last checkpoint
    for file in sorted((tmp_path / "whole").iterdir()):
        assert (tmp_path / "out" / file.name).read_bytes() == file.read_bytes(), file.name


def test_finished_batches_of_a_killed_generation_are_not_answered_again(
    base: Path, items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(generation, "is_small", lambda _model: False)
    original, prompts = generation.speculative_decode, []

    def dies(*arguments: object) -> list[list[int]]:
        prompts.append(arguments[1])
        if len(prompts) == 3:
            raise KeyboardInterrupt
        return original(*arguments)  # type: ignore[arg-type]

    expected = generate(base, spec(generation_batch=3), {"base": None}, items, GREEDY, 1)
    monkeypatch.setattr(generation, "speculative_decode", dies)
    with pytest.raises(KeyboardInterrupt):
        generate(base, spec(generation_batch=3), {"base": None}, items, GREEDY, 1)
    assert generate(base, spec(generation_batch=3), {"base": None}, items, GREEDY, 1) == expected
    assert len(prompts) == 3 + 2  # of four batches two were done
    assert not list((tmp_path / "generation").iterdir())
    other = GREEDY.model_copy(update={"max_new_tokens": 3})
    generate(base, spec(generation_batch=3), {"base": None}, items, other, 1)
    assert len(prompts) == 5 + 4
