"""A tuned student's folder that has changed since it was copied is refused, because DVC would run nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from dart.core import layout, params
from dart.core.schema.profile import StudentSpec
from dart.preflight import checks
from dart.preflight.findings import CheckFailed
from dart.preflight.tuned import changed_students
from dart.student.tuned_student import write_distilled

ROOT = Path(__file__).resolve().parents[2]
WEIGHT = "base_model.model.q_proj.lora_A.weight"


class Slot:
    """A repository whose slot `base` names the adapter in `folder`, which `train@base` has copied."""

    def __init__(self, root: Path) -> None:
        shutil.copy(ROOT / "params.yaml", root)
        shutil.copytree(ROOT / "profiles", root / "profiles")
        self.folder, base = root / "adapter", root / "model"
        for folder in (self.folder, base):
            folder.mkdir()
        (base / "config.json").write_text("{}", encoding="utf-8")
        save_file({"weight": np.zeros(1, dtype=np.float32)}, base / "model.safetensors")
        self.write(0.0)
        file = root / "profiles/embedded.yaml"
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        tuned = {"kind": "adapter", "model": str(self.folder), "revision": None}
        content["students"]["base"]["distilled"] = tuned
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        self.write(0.0, base_model_name_or_path=content["students"]["base"]["model"])
        settings, profile = params.check(root)
        self.students: dict[str, StudentSpec] = dict(profile.students)
        spec = self.students["base"]
        assert spec.distilled is not None
        self.copies = layout.adapters("base", "distilled")
        write_distilled(spec.distilled, base, spec, settings.lora, {42: "seed-42", 0: "seed-0"}, self.copies)

    def write(self, value: float, **changes: Any) -> None:
        config = self.folder / "adapter_config.json"
        content = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {
            "peft_type": "LORA", "bias": "none", "r": 8, "lora_alpha": 16, "lora_dropout": 0,
            "target_modules": ["v_proj", "q_proj"],
        }  # fmt: skip
        config.write_text(json.dumps({**content, **changes}), encoding="utf-8")
        save_file({WEIGHT: np.full((1, 1), value, dtype=np.float32)}, self.folder / "adapter_model.safetensors")


@pytest.fixture
def slot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Slot:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DART_SKIP_CHECK", raising=False)
    return Slot(tmp_path)


def test_the_copied_files_are_accepted_and_changed_ones_named(slot: Slot) -> None:
    assert changed_students(["base", "small"], slot.students) == []
    slot.write(1.0)
    [finding] = changed_students(["base", "small"], slot.students)
    assert finding.level == "problem"
    assert "dvc repro --force --single-item train@base" in finding.text
    slot.write(0.0)
    assert changed_students(["base"], slot.students) == []
    slot.write(0.0, lora_alpha=64)
    [finding] = changed_students(["base"], slot.students)
    assert "adapter_config.json" in finding.text


def test_before_the_first_copy_and_for_another_folder_there_is_nothing_to_compare(slot: Slot) -> None:
    slot.write(1.0)
    for origin in slot.copies.glob("*/origin.json"):
        origin.write_text(json.dumps({"kind": "adapter", "model": "elsewhere", "revision": "0"}), encoding="utf-8")
    assert changed_students(["base"], slot.students) == []
    shutil.rmtree(slot.copies)
    assert changed_students(["base"], slot.students) == []


def test_stages_after_train_refuse_and_train_itself_does_not(slot: Slot) -> None:
    assert checks.before_stage("audit", ["base"]) == []
    slot.write(1.0)
    for stage, arguments in (("audit", ["base"]), ("evaluate", [])):
        with pytest.raises(CheckFailed, match="have changed since train@base used them"):
            checks.before_stage(stage, arguments)
    assert checks.before_stage("audit", ["small"]) == []
    assert checks.before_stage("train", ["base"]) == []
