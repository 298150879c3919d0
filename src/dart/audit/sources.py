"""What a side of an audit is: a file of answers, or a model that answers; told by what is there, never by a guess.

Nothing is loaded here, so an audit of files needs no torch and no network.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from dart.core.errors import DataError, ModelError
from dart.core.visible_text import shown

ADAPTER = "adapter_config.json"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?", re.ASCII)


class ModelSource(NamedTuple):
    """A folder with a checkpoint or an adapter, or a model of the hub at a revision."""

    name: str
    revision: str
    is_adapter: bool

    def __str__(self) -> str:
        return self.name if Path(self.name).is_dir() or self.revision == "main" else f"{self.name}@{self.revision}"


Source = Path | ModelSource  # a path is a file of answers


def source_of(argument: str) -> Source:
    """The side that an argument of the command names.

    Raises:
        DataError: it is neither a file, nor the folder of a model, nor the id of one on the hub.
        ModelError: the hub does not say what it is.
    """
    path = Path(argument).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        if (path / ADAPTER).is_file():
            return ModelSource(str(path), "main", is_adapter=True)
        if (path / "config.json").is_file():
            return ModelSource(str(path), "main", is_adapter=False)
        raise DataError(
            f"{shown(argument)} is a folder without config.json (a checkpoint) and without {ADAPTER} (an adapter)."
        )
    if not _HUB_ID.fullmatch(argument) or path.suffix.lower() in (".jsonl", ".json", ".csv", ".tsv"):
        raise DataError(
            f"{shown(argument)} is missing. A side is a JSONL or CSV file of answers, the folder of a checkpoint or "
            "adapter, or a model of the hub (owner/name, owner/name@revision)."
        )
    name, _, revision = argument.partition("@")
    return ModelSource(name, revision or "main", is_adapter=_is_adapter_on_hub(name, revision or "main"))


def _is_adapter_on_hub(name: str, revision: str) -> bool:
    import huggingface_hub

    from dart.core.hub import token

    try:
        return bool(huggingface_hub.file_exists(name, ADAPTER, revision=revision, token=token()))
    except Exception as error:  # of the hub or of the network, each of its own kind
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{name} is no file or folder here, and the hub does not answer for it: {reason}. A gated model needs "
            "HF_TOKEN; without a network give files or folders."
        ) from None
