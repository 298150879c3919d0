"""A student that is already tuned, written as the distilled adapters that Stages II and III read (Sections 2.4, 2.5).

An adapter is copied for every training seed. A whole checkpoint becomes its own base: beside its pin stands a LoRA
adapter at its initial value, whose product is zero, so that the pair is the checkpoint and Stage III trains a new
adapter on it. With one training given, seeds vary Stage III alone.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from dart.core import hub
from dart.core.errors import ModelError
from dart.core.files import write_json
from dart.core.schema.method import Lora
from dart.core.schema.profile import DistilledStudent, TrainedStudent
from dart.core.tuned import CONFIG, WEIGHTS, adapter_folder, tuned_revision
from dart.student import adapter
from dart.student.loading import load

_CARD = """---
base_model: {base}
library_name: peft
pipeline_tag: text-generation
---
# Adapter in the place of Stage I for {name}

{what} It was not trained by this project: what it was trained on, how and under which licence is for its authors to
say. It takes the place of the distilled student, to be audited and repaired (Distill-Audit-Repair Training).

**Content warning.** Its explanations may repeat or elaborate harmful content; whether they do is what the audit asks.

**Intended use.** Research on harm drift: to be compared with its base under identical decoding. Not for moderation,
for decisions about people, or as a source of facts about groups.

| | |
|---|---|
| base | {base} |
| base revision | {base_revision} |
| tuned elsewhere | {kind} {model} |
| revision | {revision} |
"""


def write_distilled(
    tuned: DistilledStudent, base_dir: Path, spec: TrainedStudent, lora: Lora, names: Mapping[int, str], out: Path
) -> None:
    """Write the tuned student to a folder of `out` for each training seed.

    Args:
        base_dir: the slot's base, a checkpoint or a pin.
        lora: of the adapter that Stage III trains on a whole checkpoint; an adapter has its own.
        names: of the folders, by training seed.

    Raises:
        ModelError: the tuned student cannot be had, or it does not fit the slot's base.
    """
    if tuned.kind == "adapter":
        first = out / next(iter(names.values()))
        _copy_adapter(tuned, base_dir, spec, first)
        for name in list(names.values())[1:]:
            shutil.copytree(first, out / name)
    else:
        _pin_checkpoint(tuned, spec, lora, names, out)


def _copy_adapter(tuned: DistilledStudent, base_dir: Path, spec: TrainedStudent, out: Path) -> None:
    source = hub.resolve(base_dir)
    given = adapter_folder(tuned, spec)
    config = json.loads((given / CONFIG).read_text(encoding="utf-8"))
    trained_on = config.get("revision")
    if trained_on is not None and not _is_same(str(trained_on), source.revision):
        raise ModelError(
            f"The adapter {tuned.model} was trained on {config.get('base_model_name_or_path')} at {trained_on}, and "
            f"the slot's base is {source.name} at {source.revision}. Put that revision into the slot."
        )
    out.mkdir(parents=True)
    shutil.copyfile(given / WEIGHTS, out / WEIGHTS)
    name = spec.name if source.is_local else source.path_or_id
    changes = {"base_model_name_or_path": name, "revision": source.revision, "inference_mode": True}
    write_json(out / CONFIG, {**config, **changes, "target_modules": sorted(config["target_modules"])})
    _write_origin(tuned, name, source.revision, spec, out)


def _is_same(recorded: str, revision: str) -> bool:
    """Whether a recorded revision is the base's; a branch ("main") says nothing about it."""
    is_hash = len(recorded) >= 12 and set(recorded) <= set("0123456789abcdef")
    return not is_hash or recorded.startswith(revision) or revision.startswith(recorded)


def _pin_checkpoint(
    tuned: DistilledStudent, spec: TrainedStudent, lora: Lora, names: Mapping[int, str], out: Path
) -> None:
    first = out / next(iter(names.values()))
    hub.pin(tuned.model, tuned.revision or "main", first)
    student = load(first, spec)
    for seed, name in names.items():
        folder = out / name
        folder.mkdir(exist_ok=True)
        if folder != first:
            shutil.copyfile(first / hub.PIN, folder / hub.PIN)
        model = adapter.attach(student, lora, seed)
        adapter.save(model, student, student.source.name, folder)
        student = student._replace(model=model.unload())
        _write_origin(tuned, student.source.name, student.source.revision, spec, folder)


def _write_origin(tuned: DistilledStudent, base: str, base_revision: str, spec: TrainedStudent, out: Path) -> None:
    revision = tuned_revision(tuned)
    write_json(out / adapter.ORIGIN, {"kind": tuned.kind, "model": tuned.model, "revision": revision})
    write_json(out / "log.json", [])  # no training, no loss curve
    what = {
        "adapter": "A copy of a LoRA adapter that was tuned elsewhere.",
        "checkpoint": "A LoRA adapter at its initial value, zero, on a checkpoint that was tuned elsewhere.",
    }[tuned.kind]
    card = _CARD.format(
        base=base, base_revision=base_revision, name=spec.name, what=what, kind=tuned.kind, model=tuned.model,
        revision=revision,
    )  # fmt: skip
    (out / "README.md").write_text(card, encoding="utf-8")
