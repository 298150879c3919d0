"""A slot's tuned student whose folder has changed since `train@S` copied or pinned it.

DVC does not watch folders outside of the repository: after a change nothing would run, and the results would be those
of the earlier files. `train@S` has recorded a digest beside its adapters; here it is compared with the folder's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from dart.core import layout
from dart.core.errors import DataError
from dart.core.schema.profile import DistilledStudent, StudentSpec
from dart.core.tuned import CONFIG, tuned_revision
from dart.preflight.findings import Finding

ORIGIN = "origin.json"  # beside every adapter that this project did not begin (`dart.student.adapter`)
_REWRITTEN = ("base_model_name_or_path", "revision", "inference_mode")  # of the copy's configuration


def changed_students(
    slots: Sequence[str],
    students: Mapping[str, StudentSpec],
    kinds: Sequence[Literal["adapter", "checkpoint"]] = ("adapter", "checkpoint"),
    root: Path = Path(),
) -> list[Finding]:
    """A problem for each slot whose tuned student is a folder with other files than those that were copied or pinned.

    Nothing is said of a model of the hub, which its commit identifies, nor before `train@S` has run.

    Args:
        kinds: to look at; a checkpoint is read whole for its digest.

    Raises:
        DataError: what `train@S` recorded cannot be read.
    """
    return [
        finding
        for slot in slots
        if (tuned := students[slot].distilled) is not None
        and tuned.kind in kinds
        and Path(tuned.model).is_dir()
        and (finding := _changed(slot, tuned, root / layout.adapters(slot, "distilled"))) is not None
    ]


def _changed(slot: str, tuned: DistilledStudent, copies: Path) -> Finding | None:
    copy = next(iter(sorted(copies.glob(f"*/{ORIGIN}"))), None)
    if copy is None:
        return None
    recorded = _read(copy)
    if recorded.get("model") != tuned.model:
        return None  # another model is another parameter: DVC runs `train@S`
    now = tuned_revision(tuned)
    if recorded.get("revision") == now and not _other_settings(tuned, copy.parent):
        return None
    what = f"weights {recorded.get('revision')} then, {now} now" if recorded.get("revision") != now else CONFIG
    return Finding(
        f"slot {slot}, distilled, {tuned.model}",
        "problem",
        f"its files have changed since train@{slot} used them ({what}), and DVC does not watch this folder: what is "
        f"here is of the earlier files. Run `dvc repro --force --single-item train@{slot}` and then `dart repro`; or "
        "restore the files, and give every version a folder of its own.",
    )


def _other_settings(tuned: DistilledStudent, copy: Path) -> bool:
    """Whether an adapter's configuration says something else than that of its copy."""
    if tuned.kind != "adapter":
        return False
    ours, theirs = (_settings(_read(folder / CONFIG)) for folder in (copy, Path(tuned.model)))
    return ours != theirs


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in config.items() if key not in _REWRITTEN}
    return {**kept, "target_modules": sorted(config.get("target_modules") or ())}


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}. Run the stage that wrote it again.") from None
    if not isinstance(content, dict):
        raise DataError(f"{path} is no JSON object. Run the stage that wrote it again.")
    return content
