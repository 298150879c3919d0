"""Under a launcher the processes divide the work and the results stay those of one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dart.core.distributed import shard_map
from dart.core.files import write_jsonl
from dart.core.records import Item, TrainingRow
from dart.core.schema.method import GenerationParams, Lora, ToxicityTerm, Training
from dart.core.schema.profile import ScorerSpec
from dart.harm.classifier import Classifier, score_generations
from dart.student import adapter
from dart.student.generation import generate
from dart.student.toxicity import ToxicityRegulariser
from dart.student.train import train_adapter
from dart.student.trainer import GroupedSampler
from stages import __main__ as entry
from tests.support.tiny_models import classifier, spec

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import os
import sys
from pathlib import Path
from dart.core.distributed import is_main_process
from dart.core.files import read_jsonl, write_jsonl
from dart.core.records import Item, TrainingRow
from dart.core.schema.method import GenerationParams, Lora, ToxicityTerm, Training
from dart.core.schema.profile import ScorerSpec
from dart.harm.classifier import Classifier, score_generations
from dart.student.generation import generate
from dart.student.toxicity import ToxicityRegulariser
from dart.student.train import train_adapter
from tests.support.tiny_models import spec

base, work = Path(sys.argv[1]), Path(sys.argv[2])
lora = Lora.model_validate_json(sys.argv[3])
training = Training.model_validate_json(sys.argv[4])
decoding = GenerationParams.model_validate_json(sys.argv[5])
scorer = ScorerSpec.model_validate_json(sys.argv[6])
rows = read_jsonl(work / "rows.jsonl", TrainingRow)
classifier = Classifier.load(work / "scorer", scorer)
train_adapter(base, spec(batch_per_device=2), rows, lora, training, 1, work / "two")
for draws in ("teacher_forced", "own"):
    added = ToxicityRegulariser(classifier, 0.5, ToxicityTerm.model_validate_json(sys.argv[7] % draws), seed=1)
    train_adapter(base, spec(batch_per_device=2), rows, lora, training, 1, work / f"two-{draws}", regulariser=added)
items = read_jsonl(work / "items.jsonl", Item)
answers = generate(base, spec(generation_batch=2), {"one": work / "one"}, items, decoding, 1)
scored = score_generations(answers["one"], classifier)
write_jsonl(work / f"answers-{os.environ['RANK']}.jsonl", scored)
(work / f"is-main-{os.environ['RANK']}").write_text(str(is_main_process()))
"""
TERM = (
    '{"chosen_by": "mean", "draws": "%s", "samples": 2, "share": 0.6, "every": 1, '
    '"max_new_tokens": 8, "temperature": 1.0}'
)
SCORER = ScorerSpec(model="tiny", revision="main", label="toxic", batch=2, max_length=64)


def test_alone_a_process_does_everything_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert shard_map([3, 1, 2], lambda number: number * 10, on_gpu=False) == [30, 10, 20]
    assert shard_map([], lambda number: number, on_gpu=False) == []


def test_a_short_last_batch_is_filled_with_rows_that_teach_nothing() -> None:
    order = list(GroupedSampler([5, 3, 9, 4, 7], batch=4, seed=1, fill=True))
    assert len(order) == len(GroupedSampler([5, 3, 9, 4, 7], batch=4, seed=1, fill=True)) == 8
    assert order[:5] == list(GroupedSampler([5, 3, 9, 4, 7], batch=4, seed=1))
    assert order[5:] == [5, 5, 5]  # behind the last row


def test_stages_that_can_share_are_started_through_the_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[list[str], dict[str, str]]] = []

    def start(command: list[str], env: dict[str, str], check: bool) -> subprocess.CompletedProcess[str]:
        started.append((command, env))
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setenv("DART_LAUNCHER", "torchrun --nproc-per-node 2")
    monkeypatch.setattr(entry.subprocess, "run", start)
    assert entry.main(["train", "small"]) == 3
    assert started[0][0] == ["torchrun", "--nproc-per-node", "2", "-m", "stages", "train", "small"]
    assert started[0][1][entry.WORKER] == "1"  # so that a worker launches nothing
    assert entry._through_launcher(["suite"]) is None
    assert entry._through_launcher(["ablations.stage1", "uniform"]) == 3
    monkeypatch.setenv(entry.WORKER, "1")
    assert entry._through_launcher(["train", "small"]) is None


TOGETHER = """
import os
import sys
from pathlib import Path
from dart.harm import classifier as subject
from dart.harm.classifier import Classifier
from dart.core.schema.profile import ScorerSpec
from dart.core.distributed import is_main_process, replacing_on_main_process, run_on_main_process, shard_map

work, rank = Path(sys.argv[1]), os.environ["RANK"]
subject.is_small = lambda model: False  # as a large one: with a cache, which the leading process alone may open
classifier = Classifier.load(work / "scorer", ScorerSpec.model_validate_json(sys.argv[2]))
texts = ["one", "two", "three", "four four", "five"]
if not is_main_process():
    os.environ["DART_CACHE_DIR"] = "/dev/null"
    classifier._cache.path = Path("/dev/null/scores.sqlite")


def ask():
    with (work / "answers").open("a") as stream:
        stream.write(rank)
    return classifier.score(texts[:2]), shard_map([1, 2, 3], lambda part: part * 10, on_gpu=False)


with replacing_on_main_process(work / "out") as folder:
    if is_main_process():
        folder.mkdir()
    answers = run_on_main_process(ask)
    if is_main_process():
        (folder / "answers").write_text(str(answers))
    run_on_main_process(lambda: None)
    (work / f"seen-{rank}").write_text((folder / "answers").read_text())
(work / f"scores-{rank}").write_text(str([*answers[0], *classifier.score(texts)]))
run_on_main_process(lambda: 1 / 0)
"""


@pytest.mark.slow
def test_what_one_process_does_all_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge is asked by one process, which shares nothing meanwhile; a folder is made once and seen by all."""
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "cache"))
    classifier(tmp_path / "scorer")
    (tmp_path / "script.py").write_text(TOGETHER)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launch, str(tmp_path / "script.py"), str(tmp_path), SCORER.model_dump_json()],
        cwd=ROOT, env=_environment(), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode != 0  # and the other process does not wait for ever
    assert "ZeroDivisionError" in done.stderr, done.stderr[-2000:]
    assert (tmp_path / "answers").read_text() == "0"
    seen = [(tmp_path / f"seen-{rank}").read_text() for rank in (0, 1)]
    assert seen[0] == seen[1] == (tmp_path / "out" / "answers").read_text()
    assert "[10, 20, 30]" in seen[0]
    assert (tmp_path / "scores-0").read_text() == (tmp_path / "scores-1").read_text()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []


@pytest.mark.slow
def test_two_processes_train_and_answer_like_one(
    base: Path, rows: list[TrainingRow], items: list[Item], lora: Lora, training: Training, tmp_path: Path
) -> None:
    lora = lora.model_copy(update={"dropout": 0.0})  # each process drops other units
    training = training.model_copy(update={"epochs": 1})
    decoding = GenerationParams(max_new_tokens=12, temperature=0.0, top_p=1.0)
    train_adapter(base, spec(batch_per_device=4), rows, lora, training, 1, tmp_path / "one")
    write_jsonl(tmp_path / "rows.jsonl", rows)  # 14: of the last batch of 4, one process has two rows, the other none
    classifier(tmp_path / "scorer")
    scorer = Classifier.load(tmp_path / "scorer", SCORER)
    for draws in ("teacher_forced", "own"):
        added = ToxicityRegulariser(scorer, 0.5, ToxicityTerm.model_validate_json(TERM % draws), seed=1)
        out = tmp_path / f"one-{draws}"
        train_adapter(base, spec(batch_per_device=4), rows, lora, training, 1, out, regulariser=added)
    write_jsonl(tmp_path / "items.jsonl", items)
    (tmp_path / "script.py").write_text(SCRIPT)
    settings = [part.model_dump_json() for part in (lora, training, decoding, SCORER)] + [TERM]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launch, str(tmp_path / "script.py"), str(base), str(tmp_path), *settings],
        cwd=ROOT, env=_environment(), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    for kind in ("", "-teacher_forced", "-own"):  # the toxicity term draws the same texts, whoever draws them
        curves = [json.loads((tmp_path / f"{name}{kind}" / "log.json").read_text()) for name in ("one", "two")]
        for key in curves[0][0].keys() - {"step", "epoch"}:
            assert [point[key] for point in curves[1]] == pytest.approx([point[key] for point in curves[0]], rel=1e-5)
        one, two = (load_file(tmp_path / f"{name}{kind}" / adapter.WEIGHTS) for name in ("one", "two"))
        for name, weight in one.items():  # sums in another order, over 4 steps of 0.005: else the same adapter
            assert torch.allclose(weight, two[name], atol=1e-5), name
    alone = generate(base, spec(), {"one": tmp_path / "one"}, items, decoding, 1)["one"]
    scored = score_generations(alone, Classifier.load(tmp_path / "scorer", SCORER))
    write_jsonl(tmp_path / "alone.jsonl", scored)
    assert [(tmp_path / f"is-main-{rank}").read_text() for rank in (0, 1)] == ["True", "False"]
    for rank in (0, 1):
        assert (tmp_path / f"answers-{rank}.jsonl").read_bytes() == (tmp_path / "alone.jsonl").read_bytes()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
