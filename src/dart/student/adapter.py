"""LoRA adapters: attach, load, save (Appendix C.1), always tied to the base they were trained on.

An adapter on another base still loads and still writes fluent text; only a recorded revision reveals it. It is stored
in `adapter_config.json`, in PEFT's own field, and checked at every load.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file

from dart.core.errors import ModelError
from dart.core.files import write_json
from dart.core.hub import PIN, Source
from dart.core.schema.method import Lora
from dart.core.seeds import seed_for
from dart.core.tuned import CONFIG as _CONFIG
from dart.core.tuned import WEIGHTS as _WEIGHTS
from dart.student.loading import Student
from dart.student.lora_layers import patch_lora_layers

WEIGHTS, CONFIG = _WEIGHTS, _CONFIG
ORIGIN = "origin.json"  # of an adapter that this project did not begin: which model took the place of Stage I


def attach(student: Student, lora: Lora, seed: int) -> PeftModel:
    """A new adapter on all of `lora.target_modules`, initialised from `seed`."""
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(lora.target_modules),
        bias="none",
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng():  # initialisation draws from torch's global generator: leave it as it was
        torch.manual_seed(seed_for(seed, "lora"))
        try:
            model = get_peft_model(student.model, config)
        except ValueError as error:
            raise ModelError(
                f"LoRA cannot be put on {student.source.name}: {error} "
                "Name modules of this model in lora.target_modules."
            ) from error
    patch_lora_layers(model)
    return model


def load_adapter(student: Student, folder: Path, *, trainable: bool = False) -> PeftModel:
    """`student` with the adapter in `folder`, under PEFT's default name.

    Raises:
        ModelError: the folder has no adapter, or one that was trained on another base.
    """
    check_base(student.source, folder)
    model = PeftModel.from_pretrained(
        student.model, str(folder), is_trainable=trainable, torch_device=str(student.device)
    )
    patch_lora_layers(model)
    return model


def check_base(source: Source, folder: Path) -> dict[str, Any]:
    """The adapter's configuration, after checking that the adapter belongs to this base.

    Raises:
        ModelError: the folder has no adapter, or one of another base; the message names both bases.
    """
    if not (folder / CONFIG).is_file() or not (folder / WEIGHTS).is_file():
        raise ModelError(
            f"{folder} does not contain an adapter ({CONFIG} and {WEIGHTS}). Run `dvc repro` for its stage."
        )
    config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    trained_on, current = config.get("revision"), source.revision
    if trained_on != current:
        raise ModelError(
            f"The adapter {folder} was trained on {config.get('base_model_name_or_path')} at {trained_on}, but "
            f"would run on {source.name} at {current}. Train it again on this base (`dvc repro`)."
        )
    return config


def base_of(folder: Path | None, base_dir: Path) -> Path:
    """The base of an adapter: the slot's, unless the adapter continues a whole checkpoint, whose pin lies beside it.

    Args:
        folder: of the adapter; None: the slot's base itself.
        base_dir: the slot's base, a checkpoint or a pin.
    """
    return folder if folder is not None and (folder / PIN).is_file() else base_dir


def settings_of(start: Path | None, lora: Lora) -> Lora:
    """LoRA settings of a training: those of params.yaml, or of the tuned adapter that it continues."""
    if start is None or not (start / ORIGIN).is_file():
        return lora
    config = json.loads((start / CONFIG).read_text(encoding="utf-8"))
    return Lora(
        r=config["r"],
        alpha=config["lora_alpha"],
        dropout=config["lora_dropout"],
        target_modules=tuple(sorted(config["target_modules"])),
    )


def carry_origin(start: Path | None, out: Path) -> None:
    """Copy what says where an adapter began, and on which checkpoint, beside the adapter that continues it."""
    for name in (ORIGIN, PIN):
        if start is not None and (start / name).is_file():
            shutil.copyfile(start / name, out / name)


def check_settings(folder: Path, lora: Lora) -> None:
    """Refuse to continue an adapter under other LoRA settings: PEFT would silently keep those of the adapter.

    Raises:
        ModelError: the settings differ; the message names them.
    """
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    actual = {
        "r": config["r"],
        "alpha": config["lora_alpha"],
        "dropout": config["lora_dropout"],
        "target_modules": sorted(config["target_modules"]),
    }
    expected = {**lora.model_dump(), "target_modules": sorted(lora.target_modules)}
    differing = [
        f"{key}: {actual[key]} in the adapter, {expected[key]} in params.yaml"
        for key in actual
        if actual[key] != expected[key]
    ]
    if differing:
        raise ModelError(
            f"{folder} cannot be continued under other LoRA settings ({'; '.join(differing)}). Run Stage I again."
        )


def save(
    model: PeftModel, student: Student, base_name: str, folder: Path, gathered: dict[str, torch.Tensor] | None = None
) -> None:
    """Write weights and configuration; equal adapters give equal bytes (PEFT writes a set in hash order).

    Args:
        gathered: the full state dict where `model` holds a shard of it.
    """
    state = get_peft_model_state_dict(model, state_dict=gathered, save_embedding_layers=False)
    save_file({name: state[name].contiguous().cpu() for name in sorted(state)}, folder / WEIGHTS, {"format": "pt"})
    (folder / WEIGHTS).chmod(0o644)  # safetensors creates it with mode 600, unlike every other out
    config = model.peft_config["default"].to_dict()
    config |= {
        "base_model_name_or_path": base_name if student.source.is_local else student.source.path_or_id,
        "revision": student.source.revision,
        "inference_mode": True,
        "target_modules": sorted(config["target_modules"]),
    }
    write_json(folder / CONFIG, config)


def fingerprint(folder: Path) -> str:
    """12 hex digits of the adapter's weights, for the revision of what it generates."""
    return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()[:12]
