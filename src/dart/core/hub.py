"""Model sources: a model of the hub is pinned to a commit, a checkpoint on disk is identified by its bytes.

`revision: main` may be another model tomorrow. A pin records the commit in an out, hence in `dvc.lock`, and every
generation and adapter carries it.
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
_SHORT = 12  # hex digits of a local checkpoint's revision: enough to distinguish checkpoints, short in a table


class Source(NamedTuple):
    """The arguments of `from_pretrained`, and the model's name in records."""

    path_or_id: str
    revision: str  # commit, or the first digits of a local checkpoint's digest
    name: str

    @property
    def is_local(self) -> bool:
        """Whether it is a folder and not a model of the hub."""
        return Path(self.path_or_id).is_dir()


def token() -> str | bool:
    """The hub's token, from the environment only; False ignores a login that is stored on this machine."""
    return os.environ.get("HF_TOKEN") or False


def pin(model: str, revision: str, out: Path, previous: Mapping[str, Any] | None = None) -> None:
    """Write `out`/pin.json: the model and the commit (hub) or digest (folder) that `revision` currently refers to.

    Args:
        previous: the pin of the last committed run; a warning reports another commit, because results change with it.

    Raises:
        ModelError: the hub cannot be reached, or the model or revision does not exist.
    """
    commit = _digest(Path(model)) if Path(model).is_dir() else _commit(model, revision)
    if previous is not None and previous.get("model") == model and previous.get("revision") != commit:
        log.warning("%s moved from %s to %s: results may change with it", model, previous.get("revision"), commit)
    with replacing(out) as folder:
        folder.mkdir()
        write_json(folder / PIN, {"model": model, "requested": revision, "revision": commit})


def resolve(folder: Path) -> Source:
    """The source in a model folder, which contains a checkpoint or the pin of one.

    Raises:
        ModelError: the folder contains neither, the pin is damaged, or the pinned checkpoint has changed.
    """
    if (folder / "config.json").is_file():
        return Source(str(folder), _digest(folder)[:_SHORT], folder.name)
    model, revision = _recorded(folder)
    if Path(model).is_dir():
        current = _digest(Path(model))
        if current != revision:
            raise ModelError(
                f"{model} has changed since it was pinned: {revision[:_SHORT]} then, {current[:_SHORT]} now. "
                f"Restore it, or delete {folder} and run `dvc repro` to pin it again."
            )
        return Source(model, revision[:_SHORT], Path(model).name)
    return Source(model, revision, model)


def recorded_revision(folder: Path) -> str:
    """The revision of `resolve`, without reading a pinned checkpoint again.

    Raises:
        ModelError: the folder contains neither a checkpoint nor a pin, or the pin is damaged.
    """
    if (folder / "config.json").is_file():
        return _digest(folder)[:_SHORT]
    model, revision = _recorded(folder)
    return revision[:_SHORT] if Path(model).is_dir() else revision


def _recorded(folder: Path) -> tuple[str, str]:
    """Model and revision of a pin."""
    if not (folder / PIN).is_file():
        raise ModelError(
            f"{folder} contains neither a checkpoint (config.json) nor a pin ({PIN}). "
            "Run `dvc repro` for the stage that writes it, or `dvc checkout`."
        )
    try:
        content = json.loads((folder / PIN).read_text(encoding="utf-8"))
        return str(content["model"]), str(content["revision"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / PIN} is damaged ({error!r}). Delete {folder} and run `dvc repro`.") from None


def _commit(model: str, revision: str) -> str:
    """The commit that `revision` of a hub model currently refers to."""
    try:
        commit = HfApi().model_info(model, revision=revision, token=token()).sha
    except HFValidationError:
        raise ModelError(f"{model!r} is neither a folder nor the id of a model on the hub ('owner/name').") from None
    except (HfHubHTTPError, OfflineModeIsEnabled, httpx.HTTPError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"The hub returned no commit for {model} at {revision!r}: {reason}. Check the name and the network; "
            "a gated model needs HF_TOKEN in the environment; or put the path of a checkpoint folder in the profile."
        ) from None
    if not commit:
        raise ModelError(
            f"The hub returned no commit for {model} at {revision!r}. Set `revision` in the profile to a commit."
        )
    return str(commit)


def _digest(folder: Path) -> str:
    """sha256 over names and bytes of a checkpoint's weights, configuration and tokenizer."""
    files = sorted(path for path in folder.iterdir() if path.suffix in {".safetensors", ".json", ".jinja", ".model"})
    if not any(path.suffix == ".safetensors" for path in files):
        raise ModelError(
            f"{folder} does not contain a *.safetensors file. Other weights are not loaded (a pickle can run code): "
            "save the model with save_pretrained(..., safe_serialization=True)."
        )
    total = hashlib.sha256()
    for path in files:
        total.update(path.name.encode() + b"\0")
        with path.open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()
