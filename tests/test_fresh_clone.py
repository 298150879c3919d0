"""A fresh clone runs real models: checkpoints on disk in the shapes of the paper's five, and models of a hub.

Fresh means what a stranger has: no data, an empty DVC cache, and lock files of a run that this machine never made.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import tiny_models
from tests.support.fake_hub import HubModel, fake_hub
from tests.support.fresh_clone import SIZES, fresh_clone
from tests.support.tiny_pipeline import environment

pytestmark = pytest.mark.slow

DART = (sys.executable, "-m", "dart.cli.app")
N_TEST = 8 * SIZES["default"]["test"]
SHAPES = {  # slot of profiles/paper.yaml: shape of its model
    "small": {"family": "llama"},
    "base": {"family": "llama", "layers": 3, "hidden": 48},
    "large": {"family": "qwen2"},
    "mistral": {"family": "mistral"},
    "gemma": {"family": "gemma2"},
}
# One process runs the scripts of all stages, which spares the imports of twenty.
RUN = """
import sys
from stages import code, suite, scorer, distill, provenance, student, train, generate
for stage in (code, suite, scorer, distill):
    stage.run()
for slot in sys.argv[1:]:
    for stage in (student, train, generate):
        stage.run(slot)
provenance.run()
"""


def _run(clone: Path, *command: str, **extra: str) -> str:
    env = {**environment(clone.parent), "PYTHONPATH": f"{clone / 'src'}{os.pathsep}{clone}", **extra}
    done = subprocess.run(
        command, cwd=clone, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def _answers(clone: Path, slot: str) -> dict[str, list[dict[str, Any]]]:
    """Records by variant, wherever a training seed puts them."""
    answers: dict[str, list[dict[str, Any]]] = {}
    for file in sorted((clone / "data/generations" / slot).rglob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            answers.setdefault(record["variant"], []).append(record)
    return answers


def _pin(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "pin.json").read_text(encoding="utf-8"))
    return content


def test_checkpoints_on_disk_in_the_shapes_of_the_papers_five(tmp_path: Path) -> None:
    models = tmp_path / "models"
    students = {slot: {"model": str(tiny_models.student(models / slot, **shape))} for slot, shape in SHAPES.items()}
    scorers = {
        "toxicity": {"model": str(tiny_models.classifier(models / "toxicity", "roberta", ("neutral", "toxic")))},
        "hate": {"model": str(tiny_models.classifier(models / "hate", "roberta", ("nothate", "hate")))},
    }
    clone = fresh_clone(tmp_path, students, scorers)
    output = _run(clone, sys.executable, "-c", RUN, *SHAPES)
    assert "gemm_4bit_forward" not in output
    world = json.loads((clone / "data/provenance.json").read_text(encoding="utf-8"))
    for slot, origin in zip(SHAPES, world["students"], strict=True):
        pin = _pin(clone / "data/models/base" / slot)
        assert pin["model"] == students[slot]["model"] == origin["model"]
        assert pin["revision"].startswith(origin["revision"])
        answers = _answers(clone, slot)
        assert {variant: len(records) for variant, records in answers.items()} == {"base": N_TEST, "distilled": N_TEST}
        for record in [*answers["base"], *answers["distilled"]]:
            assert record["revision"].split("+")[0] == origin["revision"]  # behind the plus: the adapter's bytes
            assert 0 <= record["toxicity"] <= 1
        adapters = [*(clone / "data/adapters" / slot / "distilled").rglob("adapter_model.safetensors")]
        assert len(adapters) == 1
    assert world["label"] == "simulated"  # teacher and judge of this profile are


def test_models_of_a_hub_by_a_commit_and_by_a_branch(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    commits = {"meta/llama": "a" * 40, "lab/toxicity": "b" * 40, "lab/hate": "c" * 40}
    folders = {
        "meta/llama": tiny_models.student(folder / "llama"),
        "lab/toxicity": tiny_models.classifier(folder / "toxicity", "roberta", ("neutral", "toxic")),
        "lab/hate": tiny_models.classifier(folder / "hate", "roberta", ("nothate", "hate")),
    }
    clone = fresh_clone(
        tmp_path,
        {"base": {"model": "meta/llama", "revision": commits["meta/llama"]}},
        {"toxicity": {"model": "lab/toxicity"}, "hate": {"model": "lab/hate"}},  # revision: main, as in paper.yaml
    )
    with fake_hub({name: HubModel(folders[name], commit) for name, commit in commits.items()}) as hub:
        to_the_hub = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "hf"), "NO_PROXY": "127.0.0.1"}
        _run(clone, *DART, "repro", "generate@base", "provenance", "--jobs", "1", **to_the_hub)
        logs = [file.read_text(encoding="utf-8") for file in (clone / ".dart/logs").glob("*.log")]
        assert logs
        assert not any("gemm_4bit_forward" in log for log in logs)
        for name, path in {"meta/llama": "base/base", "lab/toxicity": "scorers/toxicity"}.items():
            pin = _pin(clone / "data/models" / path)
            assert (pin["model"], pin["revision"]) == (name, commits[name])
        files = [request for request in hub.requests if request[2]]
        assert {("meta/llama", "a" * 40, "model.safetensors"), ("lab/toxicity", "b" * 40, "config.json")} <= set(files)
        assert {revision for _, revision, _ in files} <= set(commits.values()), "a file came from a moving branch"
    answers = _answers(clone, "base")
    assert {variant: len(records) for variant, records in answers.items()} == {"base": N_TEST, "distilled": N_TEST}
    assert {record["revision"].split("+")[0] for records in answers.values() for record in records} == {"a" * 40}
    world = json.loads((clone / "data/provenance.json").read_text(encoding="utf-8"))
    assert world["students"][0]["revision"] == "a" * 40
    assert world["scorers"]["toxicity"]["revision"] == "b" * 40
