"""A student that is already tuned, in the place of Stage I: its files, looked at before anything is computed.

Stages II and III audit and repair any fine-tuned model (Sections 2.4 and 2.5); nothing in them needs a Stage I of ours.
An adapter on another base loads and writes fluent text, so what it was trained on is compared by name here and by
commit when it is copied. Only safetensors are read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dart.core.errors import ModelError
from dart.core.schema.profile import DistilledStudent, StudentSpec, TrainedStudent
from dart.core.visible_text import one_line

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_LORA_WEIGHT = re.compile(r"\.lora_[AB](\.\w+)?\.weight$")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json")
# Fields of PEFT's configuration that change what LoRA is and that Stage III would not carry on.
_OTHER_LORA = (
    "use_dora", "modules_to_save", "rank_pattern", "alpha_pattern", "lora_bias", "trainable_token_indices",
    "target_parameters", "megatron_config", "use_qalora", "alora_invocation_tokens",
)  # fmt: skip
_MERGE = (
    "Merge it into its base (merge_and_unload(), then save_pretrained() of model and tokenizer) and name the result "
    "with kind: checkpoint."
)
_PICKLE = "weights that are not safetensors are not loaded (a pickle can run code): save them with save_pretrained()"


def tuned_problems(students: Mapping[str, StudentSpec], where: str) -> list[str]:
    """What is wrong with the tuned students that a profile names, as one line each; the hub is not asked.

    Args:
        where: the profile's file, for the messages.
    """
    return [
        f"{where}: students.{slot}.distilled: {problem}"
        for slot, spec in students.items()
        if spec.distilled is not None and (problem := _problem(spec.distilled, spec)) is not None
    ]


def _problem(tuned: DistilledStudent, spec: StudentSpec) -> str | None:
    if tuned.kind == "checkpoint" and spec.engine == "openai":
        return "a server that has base and adapters has no second checkpoint; set engine: transformers"
    folder = Path(tuned.model)
    if folder.is_dir():
        if tuned.revision is not None:
            return f"revision {tuned.revision!r} belongs to a hub id; {tuned.model} is a folder: set it to null"
        return adapter_problem(folder, spec) if tuned.kind == "adapter" else checkpoint_problem(folder)
    if not _HUB_ID.fullmatch(tuned.model):
        return f"model {tuned.model!r} is neither a folder on this machine nor an id of the hub ('owner/name')"
    if tuned.revision is None or not COMMIT.fullmatch(tuned.revision):
        return (
            f"revision of {tuned.model} is {tuned.revision!r}; name its commit (40 hexadecimal digits, under 'History' "
            "of the model's page), because a branch may be another model tomorrow"
        )
    return None


def adapter_problem(folder: Path, spec: TrainedStudent) -> str | None:
    """Why the adapter in `folder` cannot stand in for Stage I of a slot; None: by its files it can."""
    if not (folder / WEIGHTS).is_file():
        others = sorted(path.name for path in folder.glob("adapter_model.*"))
        return f"{folder} has {others[0]}: {_PICKLE}" if others else f"{folder} has no {WEIGHTS}, so it is no adapter"
    if not (folder / CONFIG).is_file():
        return f"{folder} has no {CONFIG}, so nothing says what the adapter was trained on"
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        names = _weight_names(folder / WEIGHTS)
    except (ValueError, OSError) as error:
        return f"{folder} cannot be read: {one_line(str(error), 300)}"
    if not isinstance(config, dict):
        return f"{folder / CONFIG} is no JSON object"
    return _settings_problem(folder, config, names) or _base_problem(config.get("base_model_name_or_path"), spec)


def _settings_problem(folder: Path, config: Mapping[str, Any], names: list[str]) -> str | None:
    if config.get("peft_type") != "LORA":
        return f"{folder} is an adapter of type {config.get('peft_type')!r}, and Stage III continues LoRA. {_MERGE}"
    if config.get("bias", "none") != "none":
        return f"{folder} trained biases (bias: {config['bias']!r}), which Stage III does not carry on. {_MERGE}"
    if others := [name for name in _OTHER_LORA if config.get(name)]:
        return f"{folder} uses {', '.join(others)}, which Stage III does not carry on. {_MERGE}"
    missing = [key for key in ("r", "lora_alpha", "lora_dropout") if not isinstance(config.get(key), int | float)]
    if missing or not isinstance(config.get("target_modules"), list):
        return f"{folder / CONFIG} does not state {', '.join([*missing, 'target_modules'])} as PEFT saves them"
    if strange := [name for name in names if not _LORA_WEIGHT.search(name)]:
        return f"{folder / WEIGHTS} holds {strange[0]}, which is no LoRA matrix. {_MERGE}"
    return None


def _base_problem(recorded: Any, spec: TrainedStudent) -> str | None:
    if recorded in (spec.model, spec.name):
        return None
    if isinstance(recorded, str) and Path(recorded).is_dir() and Path(recorded).resolve() == Path(spec.model).resolve():
        return None
    return (
        f"the adapter was trained on {recorded!r}, and the slot's model is {spec.model!r}. Put its base into the slot; "
        f"or, if both are the same weights under two names, write {spec.model!r} as base_model_name_or_path into "
        f"{CONFIG} of a copy of the adapter"
    )


def _weight_names(file: Path) -> list[str]:
    """Names of the tensors, from the header alone; a damaged file raises ValueError."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as weights:
            return [str(name) for name in weights.keys()]  # noqa: SIM118 - no mapping
    except SafetensorError as error:
        raise ValueError(f"{file.name}: {error}") from None


def checkpoint_problem(folder: Path) -> str | None:
    """Why the checkpoint in `folder` cannot stand in for Stage I; None: by its files it can."""
    if not (folder / "config.json").is_file():
        hint = " It is an adapter: kind: adapter." if (folder / CONFIG).is_file() else ""
        return f"{folder} has no config.json, so it is no checkpoint.{hint}"
    if not any(folder.glob("*.safetensors")):
        others = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth", "*.gguf") for path in folder.glob(pattern))
        return f"{folder} has {others[0]}: {_PICKLE}" if others else f"{folder} has no *.safetensors file"
    index = folder / "model.safetensors.index.json"
    try:
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()) if index.is_file() else ()
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        return f"{index} cannot be read: {error!r}"
    if missing := sorted(name for name in shards if not (folder / str(name)).is_file()):
        return f"{folder} lacks {', '.join(missing[:3])}, which {index.name} names"
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        return f"{folder} has no tokenizer; write it there with tokenizer.save_pretrained()"
    return None


def adapter_folder(tuned: DistilledStudent, spec: TrainedStudent) -> Path:
    """Where the adapter's files are on this machine, downloaded at its commit if it is one of the hub.

    Raises:
        ModelError: the hub does not give it, or it cannot stand in for Stage I of the slot.
    """
    folder = Path(tuned.model)
    if not folder.is_dir():
        folder = _download(tuned)
        if (problem := adapter_problem(folder, spec)) is not None:
            raise ModelError(f"{tuned.model} at {tuned.revision}: {problem}.")
    return folder


def _download(tuned: DistilledStudent) -> Path:
    import httpx
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    from dart.core.hub import token

    try:
        files = [
            hf_hub_download(tuned.model, name, revision=tuned.revision, token=token()) for name in (CONFIG, WEIGHTS)
        ]
    except EntryNotFoundError:
        raise ModelError(
            f"{tuned.model} at {tuned.revision} does not have both {CONFIG} and {WEIGHTS}; {_PICKLE}. A whole "
            "checkpoint is kind: checkpoint."
        ) from None
    except (HfHubHTTPError, httpx.HTTPError, OSError, ValueError) as error:
        raise ModelError(
            f"The adapter {tuned.model} at {tuned.revision} cannot be downloaded ({one_line(str(error), 300)}). Check "
            "name, commit and network; a private one needs HF_TOKEN; or put the path of a folder into the profile."
        ) from None
    return Path(files[0]).parent


def tuned_revision(tuned: DistilledStudent) -> str:
    """The commit of a hub id, or the first digits of the digest of a folder's weights."""
    if tuned.revision is not None:
        return tuned.revision
    total = hashlib.sha256()
    for file in sorted(Path(tuned.model).glob("*.safetensors")):
        with file.open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()[:12]
