"""Why a checkpoint cannot be loaded, by the file that is at fault.

Libraries raise what their parsers raise: for a download that was cut short, "incomplete metadata" without a file name.
Weights that a checkpoint lacks they replace by random numbers and a warning; a classifier would score at random.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors import SafetensorError, safe_open

from dart.core.errors import ModelError
from dart.core.hub import Source

MAX_LENGTH = 500  # characters of a library's message
MAX_NAMES = 3  # of missing weights in one message


def reason(source: Source, error: Exception) -> str:
    """What is wrong with a checkpoint whose loading ended with `error`: its damaged weights by file, or the error."""
    damaged = damaged_weights(source)
    if damaged:
        return f"{' and '.join(damaged)} cannot be read; copy or download it again"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:MAX_LENGTH]}{' ...' if len(text) > MAX_LENGTH else ''}"


def damaged_weights(source: Source) -> list[str]:
    """The safetensors files of a checkpoint whose header does not fit their bytes, each with what is wrong."""
    folder = _folder(source)
    files = [] if folder is None else sorted(folder.glob("*.safetensors"))
    return [f"{file} ({problem})" for file in files if (problem := _problem(file))]


def require_all_weights(source: Source, loading: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that lacks weights of its architecture.

    Args:
        loading: what `from_pretrained(..., output_loading_info=True)` says beside the model.

    Raises:
        ModelError: weights are missing (the first are named).
    """
    missing = sorted(str(name) for name in loading["missing_keys"])
    if missing:
        raise ModelError(
            f"{source.name} at {source.revision} lacks {len(missing)} weights of its architecture "
            f"({', '.join(missing[:MAX_NAMES])}{', ...' if len(missing) > MAX_NAMES else ''}); they would be random "
            "numbers. Take a checkpoint that was trained for this task, and all files of it."
        )


def _folder(source: Source) -> Path | None:
    """Where the files of a checkpoint are on this machine; None: nowhere."""
    if source.is_local:
        return Path(source.path_or_id)
    try:
        return Path(snapshot_download(source.path_or_id, revision=source.revision, local_files_only=True))
    except (LocalEntryNotFoundError, OSError, ValueError):
        return None


def _problem(file: Path) -> str | None:
    try:
        with safe_open(file, framework="pt"):
            return None
    except (SafetensorError, OSError) as error:
        return f"{file.stat().st_size} bytes, {' '.join(str(error).split())[:MAX_LENGTH]}"
