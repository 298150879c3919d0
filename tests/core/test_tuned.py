"""A slot that names a tuned student: what is wrong with it is said before anything is computed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from dart.core import params
from dart.core.errors import ParameterError
from dart.core.schema.profile import DistilledStudent
from dart.core.tuned import tuned_revision

ROOT = Path(__file__).resolve().parents[2]
LORA = {
    "peft_type": "LORA", "base_model_name_or_path": "meta-llama/Meta-Llama-3-8B-Instruct", "bias": "none", "r": 8,
    "lora_alpha": 16, "lora_dropout": 0, "target_modules": ["q_proj", "v_proj"], "modules_to_save": None,
}  # fmt: skip
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    return tmp_path


def _adapter(folder: Path, weight: str = "base_model.model.q_proj.lora_A.weight", **changes: Any) -> Path:
    folder.mkdir()
    save_file({weight: np.zeros((1, 1), dtype=np.float32)}, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({**LORA, **changes}), encoding="utf-8")
    return folder


def _checkpoint(folder: Path) -> Path:
    folder.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_text("{}", encoding="utf-8")
    save_file({"weight": np.zeros(1, dtype=np.float32)}, folder / "model.safetensors")
    return folder


def _check(repository: Path, tuned: dict[str, Any], **slot: Any) -> None:
    file = repository / "profiles/paper.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    content["students"]["base"].update(distilled={"revision": None, **tuned}, **slot)
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    params.check(repository, profile="paper")


def _refused(repository: Path, tuned: dict[str, Any], message: str, **slot: Any) -> None:
    with pytest.raises(ParameterError, match=r"profiles/paper\.yaml: students\.base\.distilled: ") as caught:
        _check(repository, tuned, **slot)
    assert message in str(caught.value)


def test_an_adapter_and_a_checkpoint_of_the_hub_and_on_disk_are_valid(repository: Path, tmp_path: Path) -> None:
    for kind, folder in (("adapter", _adapter(tmp_path / "a")), ("checkpoint", _checkpoint(tmp_path / "c"))):
        _check(repository, {"kind": kind, "model": str(folder)})
        _check(repository, {"kind": kind, "model": "me/tuned", "revision": COMMIT})


@pytest.mark.parametrize(
    ("tuned", "message"),
    [
        ({"model": "me/tuned"}, "revision of me/tuned is None; name its commit (40 hexadecimal digits"),
        ({"model": "me/tuned", "revision": "main"}, "revision of me/tuned is 'main'; name its commit"),
        ({"model": "out/run/final"}, "'out/run/final' is neither a folder on this machine nor an id of the hub"),
    ],
)
def test_what_cannot_be_identified_is_refused(repository: Path, tuned: dict[str, Any], message: str) -> None:
    for kind in ("adapter", "checkpoint"):
        _refused(repository, {"kind": kind, **tuned}, message)


def test_a_folder_has_no_revision(repository: Path, tmp_path: Path) -> None:
    tuned = {"kind": "adapter", "model": str(_adapter(tmp_path / "a")), "revision": COMMIT}
    _refused(repository, tuned, "belongs to a hub id")


def test_an_adapter_on_another_base_is_refused_by_both_names(repository: Path, tmp_path: Path) -> None:
    folder = _adapter(tmp_path / "a", base_model_name_or_path="Qwen/Qwen2.5-7B")
    message = "trained on 'Qwen/Qwen2.5-7B', and the slot's model is 'meta-llama/Meta-Llama-3-8B-Instruct'"
    _refused(repository, {"kind": "adapter", "model": str(folder)}, message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"peft_type": "IA3"}, "is an adapter of type 'IA3'"),
        ({"use_dora": True}, "uses use_dora"),
        ({"modules_to_save": ["lm_head"]}, "uses modules_to_save"),
        ({"bias": "all"}, "trained biases"),
        ({"target_modules": ".*_proj"}, "does not state target_modules"),
        (
            {"weight": "base_model.model.lm_head.weight"},
            "holds base_model.model.lm_head.weight, which is no LoRA matrix",
        ),
    ],
)
def test_what_stage_iii_would_not_carry_on_is_refused_with_a_way_out(
    repository: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    folder = _adapter(tmp_path / "a", **changes)
    _refused(repository, {"kind": "adapter", "model": str(folder)}, message)


def test_missing_damaged_and_pickled_files_are_named(repository: Path, tmp_path: Path) -> None:
    adapter, checkpoint = _adapter(tmp_path / "a"), _checkpoint(tmp_path / "c")
    _refused(repository, {"kind": "checkpoint", "model": str(adapter)}, "It is an adapter: kind: adapter")
    _refused(repository, {"kind": "adapter", "model": str(checkpoint)}, "has no adapter_model.safetensors")
    (adapter / "adapter_model.safetensors").write_bytes(b"cut short")
    _refused(repository, {"kind": "adapter", "model": str(adapter)}, "a cannot be read: adapter_model.safetensors")
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    _refused(repository, {"kind": "adapter", "model": str(adapter)}, "has adapter_model.bin: weights that are not safe")
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (checkpoint / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    _refused(repository, {"kind": "checkpoint", "model": str(checkpoint)}, "lacks model-00002-of-00002.safetensors")
    (checkpoint / "model.safetensors.index.json").unlink()
    (checkpoint / "tokenizer.json").unlink()
    _refused(repository, {"kind": "checkpoint", "model": str(checkpoint)}, "has no tokenizer")
    (checkpoint / "model.safetensors").rename(checkpoint / "pytorch_model.bin")
    _refused(
        repository, {"kind": "checkpoint", "model": str(checkpoint)}, "has pytorch_model.bin: weights that are not"
    )


def test_a_server_has_no_second_checkpoint(repository: Path, tmp_path: Path) -> None:
    tuned = {"kind": "checkpoint", "model": str(_checkpoint(tmp_path / "c"))}
    _refused(repository, tuned, "set engine: transformers", engine="openai")


def test_a_profile_says_of_every_slot_whether_stage_i_is_trained(repository: Path) -> None:
    file = repository / "profiles/embedded.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    del content["students"]["large"]["distilled"]
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ParameterError, match=r"missing parameter 'students\.large\.distilled'; null: Stage I is"):
        params.check(repository)


def test_a_folder_is_identified_by_its_weights(tmp_path: Path) -> None:
    first, second = (_adapter(tmp_path / name) for name in ("a", "b"))
    tuned = [DistilledStudent(kind="adapter", model=str(folder), revision=None) for folder in (first, second)]
    assert tuned_revision(tuned[0]) == tuned_revision(tuned[1])
    save_file({"x.lora_B.weight": np.ones((1, 1), dtype=np.float32)}, second / "adapter_model.safetensors")
    assert tuned_revision(tuned[0]) != tuned_revision(tuned[1])
