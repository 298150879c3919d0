"""Under a launcher the processes divide the work and the results stay those of one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dart import params
from dart.records import Item, write_jsonl
from dart.student.generation import generate
from dart.student.rows import TrainingRow
from dart.student.sharing import shared
from dart.student.train import train_adapter
from tests.checkpoints import spec

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import os
import sys
from pathlib import Path
from dart import params
from dart.records import Item, read_jsonl, write_jsonl
from dart.student.generation import generate
from dart.student.rows import TrainingRow
from dart.student.train import train_adapter
from tests.checkpoints import spec

base, work = Path(sys.argv[1]), Path(sys.argv[2])
lora = params.Lora.model_validate_json(sys.argv[3])
training = params.Training.model_validate_json(sys.argv[4])
decoding = params.GenerationParams.model_validate_json(sys.argv[5])
rows = read_jsonl(work / "rows.jsonl", TrainingRow)
train_adapter(base, spec(batch_per_device=2), rows, lora, training, 1, work / "two")
items = read_jsonl(work / "items.jsonl", Item)
answers = generate(base, spec(generation_batch=2), {"one": work / "one"}, items, decoding, 1)
write_jsonl(work / f"answers-{os.environ['RANK']}.jsonl", answers["one"])
"""


def test_alone_a_process_does_everything_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert shared([3, 1, 2], lambda number: number * 10, on_gpu=False) == [30, 10, 20]
    assert shared([], lambda number: number, on_gpu=False) == []


@pytest.mark.slow
def test_two_processes_train_and_answer_like_one(
    base: Path, rows: list[TrainingRow], items: list[Item], lora: params.Lora, training: params.Training, tmp_path: Path
) -> None:
    lora = lora.model_copy(update={"dropout": 0.0})  # each process drops other units
    training = training.model_copy(update={"epochs": 1})
    decoding = params.GenerationParams(max_new_tokens=12, temperature=0.0, top_p=1.0)
    whole = rows[:12]  # a full last batch: the launcher fills a short one with copies
    train_adapter(base, spec(batch_per_device=4), whole, lora, training, 1, tmp_path / "one")
    write_jsonl(tmp_path / "rows.jsonl", whole)
    write_jsonl(tmp_path / "items.jsonl", items)
    (tmp_path / "script.py").write_text(SCRIPT)
    settings = [part.model_dump_json() for part in (lora, training, decoding)]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launch, str(tmp_path / "script.py"), str(base), str(tmp_path), *settings],
        cwd=ROOT, env=_environment(), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    curves = [json.loads((tmp_path / name / "log.json").read_text()) for name in ("one", "two")]
    assert [point["loss"] for point in curves[1]] == pytest.approx([point["loss"] for point in curves[0]], rel=1e-4)
    alone = generate(base, spec(), {"one": tmp_path / "one"}, items, decoding, 1)["one"]
    write_jsonl(tmp_path / "alone.jsonl", alone)
    for rank in (0, 1):
        assert (tmp_path / f"answers-{rank}.jsonl").read_bytes() == (tmp_path / "alone.jsonl").read_bytes()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
