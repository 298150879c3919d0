"""Pin a model of the hub and compare with the pin of the last commit, so that a moved `main` is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dart.core import hub


def committed_pin(folder: Path) -> dict[str, Any] | None:
    """The pin that `dvc.lock` of the last commit names; None where there is none, or not in this cache."""
    # DVC takes half a second to import, and a model that is trained here needs no pin
    import dvc.api
    from dvc.exceptions import DvcException
    from dvc_data.index import DataIndexError

    try:
        committed: dict[str, Any] = json.loads(dvc.api.read(f"{folder.as_posix()}/pin.json", rev="HEAD"))
    except (
        DvcException,
        DataIndexError,
        FileNotFoundError,
    ):  # a fresh clone has no folders in its cache
        return None
    return committed


def pin(model: str, revision: str, out: Path) -> None:
    """`hub.pin`, aware of the committed pin of the same out."""
    hub.pin(model, revision, out, previous=committed_pin(out))
