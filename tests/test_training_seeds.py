"""Training seeds through the stages themselves: a stage trains and answers each once, also under a launcher."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dart.core import layout
from dart.core.files import read_jsonl, write_json, write_jsonl
from dart.core.records import Generation
from dart.core.schema.profile import SuiteSpec
from dart.student import train as trainer
from dart.student.adapter import WEIGHTS
from dart.suite.split import split_suite
from stages import distill, generate, train
from tests.support import tiny_models

pytestmark = pytest.mark.training

ROOT = Path(__file__).resolve().parents[1]
SLOT = "base"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose student is a tiny random Llama, up to what `train` needs; seeds 42 and 3."""
    from dart.simulation.suite import write_suite

    folder = tmp_path_factory.mktemp("prepared")
    for name in ("dvc.yaml", "ablations/dvc.yaml", "external/dvc.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    settings = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    settings |= {"students": [SLOT], "variants": {}}
    settings["training"] |= {"epochs": 1, "global_batch": 4}
    settings["lora"] |= {"r": 4, "alpha": 8, "dropout": 0.0}  # each process would drop other units
    settings["generation"]["max_new_tokens"] = 6
    profile = yaml.safe_load((ROOT / "profiles/embedded.yaml").read_text(encoding="utf-8"))
    profile["suite"]["sizes"] = {"default": {"train": 2, "validation": 2, "test": 2}}
    profile["students"] = {SLOT: tiny_models.spec(batch_per_device=2).model_dump()}
    _write(folder / "params.yaml", settings)
    _write(folder / "profiles/embedded.yaml", profile | {"seeds": [42, 3]})
    suite = split_suite(write_suite(1).items, SuiteSpec.model_validate(profile["suite"]), _split(settings), 1)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setenv("DART_CACHE_DIR", str(folder / "cache"))
        for split in ("train", "test"):
            write_jsonl(layout.split(split), getattr(suite, split))
        for script in ("train", "generate"):
            write_json(layout.CODE / f"{script}.json", {})
        tiny_models.classifier(layout.SCORERS / "toxicity")
        tiny_models.student(layout.base(SLOT))
        distill.run()
    return folder


def _write(file: Path, content: dict[str, Any]) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _split(settings: dict[str, Any]) -> Any:
    from dart.core.schema.method import Split

    return Split.model_validate(settings["split"])


@pytest.fixture
def checkout(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(shutil.copytree(prepared, tmp_path / "checkout"))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Seeds that were really trained, in order."""
    seeds: list[int] = []
    real = trainer.train_adapter

    def record(*arguments: Any, **options: Any) -> None:
        seeds.append(arguments[5])
        real(*arguments, **options)

    monkeypatch.setattr(trainer, "train_adapter", record)
    return seeds


def set_seeds(*seeds: int) -> None:
    file = Path("profiles/embedded.yaml")
    _write(file, yaml.safe_load(file.read_text(encoding="utf-8")) | {"seeds": list(seeds)})


def dvc_deletes_outs() -> None:
    """As DVC does before it runs a stage."""
    for out in (layout.adapters(SLOT, "distilled"), layout.seed_generations(SLOT, "distilled")):
        shutil.rmtree(out, ignore_errors=True)
    layout.generations(SLOT, "base", 42).unlink(missing_ok=True)


def outs() -> dict[str, bytes]:
    files = [*Path("data/adapters").rglob(f"*/{WEIGHTS}"), *Path("data/generations").rglob("*.jsonl")]
    return {file.as_posix(): file.read_bytes() for file in files}


def test_a_seed_that_is_added_is_the_only_one_that_is_trained_and_answered(
    checkout: Path, trained: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    train.run(SLOT)
    generate.run(SLOT)
    first = outs()
    assert trained == [42, 3]
    assert len(first) == 2 + 2 + 1
    weights = {(layout.adapter(SLOT, "distilled", seed) / WEIGHTS).read_bytes() for seed in (42, 3)}
    assert len(weights) == 2, "the seed decides the training"
    set_seeds(42, 3, 7)
    dvc_deletes_outs()
    train.run(SLOT)
    caplog.clear()
    caplog.set_level("INFO")
    generate.run(SLOT)
    assert trained == [42, 3, 7]
    answered = [record.getMessage().partition(":")[0] for record in caplog.records if "unparsed" in record.getMessage()]
    assert answered == ["seed-7"]
    again = outs()
    assert again.keys() - first.keys() == {
        f"data/adapters/base/distilled/seed-7/{WEIGHTS}", "data/generations/base/distilled/seed-7.jsonl",
    }  # fmt: skip
    assert {name: again[name] for name in first} == first
    records = read_jsonl(layout.generations(SLOT, "distilled", 7), Generation)
    assert {record.variant for record in records} == {"distilled"}
    assert all(record.toxicity is not None for record in records)


def test_a_stage_that_is_killed_in_its_second_seed_trains_the_first_once(
    checkout: Path, trained: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., None] = trainer.train_adapter

    def dies(*arguments: Any, **options: Any) -> None:
        if arguments[5] == 3:
            raise KeyboardInterrupt
        real(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(trainer, "train_adapter", dies)
        with pytest.raises(KeyboardInterrupt):
            train.run(SLOT)
    assert not layout.adapters(SLOT, "distilled").exists(), "an out that exists is complete"
    train.run(SLOT)
    assert trained == [42, 3]


def test_the_training_of_a_seed_depends_on_no_other_seed(checkout: Path) -> None:
    train.run(SLOT)
    together = (layout.adapter(SLOT, "distilled", 3) / WEIGHTS).read_bytes()
    set_seeds(3)
    dvc_deletes_outs()
    shutil.rmtree(layout.RESULTS)
    train.run(SLOT)
    assert (layout.adapter(SLOT, "distilled", 3) / WEIGHTS).read_bytes() == together
    assert not layout.adapter(SLOT, "distilled", 42).exists()


@pytest.mark.slow
def test_two_processes_train_and_answer_every_seed_and_one_writes(checkout: Path) -> None:
    train.run(SLOT)
    generate.run(SLOT)
    alone = outs()
    dvc_deletes_outs()
    shutil.rmtree(layout.RESULTS)
    launcher = f"{sys.executable} -m torch.distributed.run --standalone --nproc-per-node 2"
    environment = {
        **os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1",
        "DART_LAUNCHER": launcher,
    }  # fmt: skip
    for stage in ("train", "generate", "train", "generate"):  # the second time from what the first has stored
        done = subprocess.run(
            [sys.executable, "-m", "stages", stage, SLOT],
            env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
    together = outs()
    assert together.keys() == alone.keys()
    base = layout.generations(SLOT, "base", 42).as_posix()
    assert together[base] == alone[base]
    assert not [path for path in Path("data").rglob(".*") if path.is_dir()], "nothing temporary is left"
