"""A student that is already tuned, through the pipeline: an adapter and a merged checkpoint in the place of Stage I.

Both are made here from the distilled student of a run of its own, so what follows from them is known: the same answers,
the same audit, and for the adapter the same repair to the byte.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import tiny_models
from tests.support.tiny_pipeline import environment, tiny_clone

pytestmark = pytest.mark.slow

# `dvc repro` starts a process per stage, each of which imports torch; here one process runs the same scripts.
STAGES = """
import sys
from importlib import import_module
for name in sys.argv[1].split():
    stage, _, slot = name.partition("@")
    import_module(f"stages.{stage}").run(*([slot] if slot else []))
"""
BEFORE = "code suite scorer student@base distill train@base"
FIRST = ("generate", "audit", "targets", "answer_training", "audit_training", "repair", "regenerate")
MERGE = """
import sys
from pathlib import Path
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
base, adapter, out = sys.argv[1:]
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter).merge_and_unload()
model.save_pretrained(out)
AutoTokenizer.from_pretrained(base).save_pretrained(out)
"""


def _python(clone: Path, *arguments: str) -> None:
    env = {**environment(clone.parent), "PYTHONPATH": f"{clone / 'src'}{os.pathsep}{clone}"}
    done = subprocess.run(
        [sys.executable, "-c", *arguments], cwd=clone, env=env, text=True, check=False, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]


def _records(clone: Path, slot: str, folder: str, variant: str) -> dict[str, list[dict[str, Any]]]:
    files = sorted((clone / "data" / folder / slot / variant).glob("*.jsonl"))
    return {f.stem: [json.loads(line) for line in f.read_text(encoding="utf-8").splitlines()] for f in files}


def _texts(records: list[dict[str, Any]]) -> list[str]:
    return [record["text"] for record in records]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose slots are the same base: trained here, and tuned as an adapter and as a merged checkpoint."""
    folder = tmp_path_factory.mktemp("tuned")
    clone = tiny_clone(folder / "dart", recipes={})
    file = clone / "profiles/tiny.yaml"
    profile = yaml.safe_load(file.read_text(encoding="utf-8"))
    profile["suite"]["sizes"] = {"default": {"train": 40, "validation": 2, "test": 6}}
    profile["students"]["base"]["epochs"] = {"stage1": 1, "stage3": 1}
    profile["seeds"] = [42]
    for kind, label in (("toxicity", "toxic"), ("hate", "hate")):  # pinned, because training one takes half a minute
        model = tiny_models.classifier(folder / kind, "roberta", ("neutral", label))
        profile["scorers"][kind] |= {"model": str(model), "label": label}
    file.write_text(yaml.safe_dump(profile), encoding="utf-8")
    _python(clone, STAGES, BEFORE)
    given = folder / "their-adapter"
    given.mkdir()
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        shutil.copy2(clone / "data/adapters/base/distilled/seed-42" / name, given / name)
    _python(clone, MERGE, "tests/fixtures/nano", str(given), str(folder / "their-checkpoint"))
    for slot, kind in (("adapted", "adapter"), ("merged", "checkpoint")):
        tuned = {"kind": kind, "model": str(folder / f"their-{kind}"), "revision": None}
        profile["students"][slot] = {**profile["students"]["base"], "distilled": tuned}
    file.write_text(yaml.safe_dump(profile), encoding="utf-8")
    params = yaml.safe_load((clone / "params.yaml").read_text(encoding="utf-8"))
    params |= {"students": ["base", "adapted", "merged"], "variants": {}}
    (clone / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    first = [f"{stage}@{slot}" for slot in ("adapted", "merged") for stage in ("student", "train")]
    then = [f"{stage}@{slot}" for slot in params["students"] for stage in FIRST]
    _python(clone, STAGES, " ".join(["code", *first, "provenance", *then]))
    return clone


def test_a_tuned_adapter_is_audited_and_repaired_as_our_own(clone: Path) -> None:
    answers = {slot: _records(clone, slot, "generations", "distilled") for slot in ("base", "adapted")}
    assert answers["adapted"] == answers["base"]
    assert _records(clone, "adapted", "audit", "before") == _records(clone, "base", "audit", "before")
    assert _records(clone, "adapted", "repair", "targets") == _records(clone, "base", "repair", "targets")
    repaired = [
        (clone / f"data/adapters/{slot}/repaired/seed-42/adapter_model.safetensors").read_bytes()
        for slot in ("base", "adapted")
    ]
    assert repaired[0] == repaired[1] != (clone.parent / "their-adapter/adapter_model.safetensors").read_bytes()


def test_a_tuned_checkpoint_is_its_own_base_and_gets_a_new_adapter(clone: Path) -> None:
    answers = {slot: _records(clone, slot, "generations", "distilled")["seed-42"] for slot in ("base", "merged")}
    equal = sum(a == b for a, b in zip(*map(_texts, answers.values()), strict=True))
    assert equal >= 0.9 * len(answers["base"])  # merged weights are rounded once more
    pin = json.loads((clone / "data/adapters/merged/distilled/seed-42/pin.json").read_text(encoding="utf-8"))
    assert pin["model"].endswith("their-checkpoint")
    for variant in ("distilled", "repaired"):
        revision, _, adapter = _records(clone, "merged", "generations", variant)["seed-42"][0]["revision"].partition(
            "+"
        )
        assert pin["revision"].startswith(revision), variant
        assert adapter
    base = (clone / "data/generations/merged/base.jsonl").read_text(encoding="utf-8")
    assert base == (clone / "data/generations/base/base.jsonl").read_text(encoding="utf-8")
    repaired = _records(clone, "merged", "generations", "repaired")["seed-42"]
    assert _texts(repaired) != _texts(answers["merged"])


def test_the_provenance_names_what_was_tuned_elsewhere(clone: Path) -> None:
    world = json.loads((clone / "data/provenance.json").read_text(encoding="utf-8"))
    origins = {student["slot"]: student.get("distilled") for student in world["students"]}
    assert origins["base"] is None
    assert origins["adapted"]["model"].endswith("their-adapter")
    assert origins["merged"]["model"].endswith("their-checkpoint")
    assert all("distilled" not in student for student in world["students"][:1]), "as before, where Stage I is trained"
