"""Where a model comes from: pin what is on the hub to a commit, name what is on disk by its bytes.

`revision: main` means another model tomorrow. A pin turns it into a commit that stands in an out, so in
`dvc.lock`, and every generation and adapter carries it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

from dart.core.errors import ModelError
from dart.core.files import replacing, write_json

log = logging.getLogger(__name__)
PIN = "pin.json"
_SHORT = 12  # hex digits of a local checkpoint's revision: enough to tell checkpoints apart, short in a table


class Source(NamedTuple):
    """What to give to `from_pretrained`, and how the model is named in records."""

    path_or_id: str
    revision: str
    name: str

    @property
    def is_local(self) -> bool:
        return Path(self.path_or_id).is_dir()


def token() -> str | bool:
    """The hub's key, from the environment only; False keeps a login stored on this machine out of the run."""
    return os.environ.get("HF_TOKEN") or False


def pin(model: str, revision: str, out: Path, previous: Mapping[str, Any] | None = None) -> None:
    """Write `out`/pin.json: the model and the commit (hub) or digest (folder) that `revision` means now.

    Args:
        previous: the pin of the last committed run; a different commit is reported, because results change with it.

    Raises:
        ModelError: the hub cannot be reached, or has no such model or revision.
    """
    commit = _digest(Path(model)) if Path(model).is_dir() else _commit(model, revision)
    if previous is not None and previous.get("model") == model and previous.get("revision") != commit:
        log.warning("%s moved from %s to %s: results may change with it", model, previous.get("revision"), commit)
    with replacing(out) as folder:
        folder.mkdir()
        write_json(folder / PIN, {"model": model, "requested": revision, "revision": commit})


def resolve(folder: Path) -> Source:
    """What a model folder holds: a checkpoint of its own, or a pin that names one.

    Raises:
        ModelError: the folder is neither, or the pin is damaged.
    """
    if (folder / "config.json").is_file():
        return Source(str(folder), _digest(folder)[:_SHORT], folder.name)
    if not (folder / PIN).is_file():
        raise ModelError(
            f"{folder} holds neither a checkpoint (config.json) nor a pin ({PIN}). "
            "Run `dvc repro` for the stage that writes it, or `dvc checkout`."
        )
    try:
        content = json.loads((folder / PIN).read_text(encoding="utf-8"))
        model, revision = str(content["model"]), str(content["revision"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / PIN} is damaged ({error!r}). Delete {folder} and run `dvc repro`.") from None
    if Path(model).is_dir():
        found = _digest(Path(model))
        if found != revision:
            raise ModelError(
                f"{model} has changed since it was pinned: {revision[:_SHORT]} then, {found[:_SHORT]} now. "
                f"Restore it, or delete {folder} and run `dvc repro` to pin it anew."
            )
        return Source(model, revision[:_SHORT], Path(model).name)
    return Source(model, revision, model)


def _commit(model: str, revision: str) -> str:
    """The commit that `revision` of a hub model is at this moment."""
    try:
        commit = HfApi().model_info(model, revision=revision, token=token()).sha
    except HFValidationError:
        raise ModelError(f"{model!r} is neither a folder nor the id of a model on the hub ('owner/name').") from None
    except (HfHubHTTPError, OfflineModeIsEnabled, httpx.HTTPError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"The hub did not name a commit for {model} at {revision!r}: {reason}. Check the name and the network; "
            "a gated model needs HF_TOKEN in the environment; or put the path of a checkpoint folder in the profile."
        ) from None
    if not commit:
        raise ModelError(f"The hub names no commit for {model} at {revision!r}. Put a commit into the profile.")
    return str(commit)


def _digest(folder: Path) -> str:
    """sha256 over names and bytes of a checkpoint's weights, configuration and tokenizer."""
    files = sorted(path for path in folder.iterdir() if path.suffix in {".safetensors", ".json", ".jinja", ".model"})
    if not any(path.suffix == ".safetensors" for path in files):
        raise ModelError(
            f"{folder} has no *.safetensors file. Only safetensors weights are loaded (a pickle can run code): "
            "save the model with save_pretrained(..., safe_serialization=True)."
        )
    total = hashlib.sha256()
    for path in files:
        total.update(path.name.encode() + b"\0")
        with path.open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()
