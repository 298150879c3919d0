"""Sides of an audit that are models: which they are, and their answers to the prompts, computed once.

A checkpoint, a model of the hub, or a LoRA adapter on either. Base and adapters share one loaded model, so that nothing
but the adapter differs within a pair. This module alone loads torch, and `dart.audit.run` imports it where a side is a
model. Section 2.4; Appendix E.3.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import huggingface_hub
import torch

from dart.audit.reading import Prompts, Side
from dart.audit.settings import Answering
from dart.audit.sources import ModelSource
from dart.core import hub
from dart.core.errors import ModelError
from dart.core.files import replacing, write_json
from dart.core.records import Generation, Item
from dart.core.result_cache import LIBRARIES, ResultCache
from dart.core.schema.profile import StudentSpec
from dart.core.store import cache_folder
from dart.prompts import classification
from dart.prompts.messages import Message
from dart.student.adapter import CONFIG, WEIGHTS
from dart.student.generation import GenerationRequest, VariantRequests
from dart.student.stored_answers import answer_once

FOLDER = "audit"  # in the user's cache directory: pins, adapters and answers of models
ANSWERS = 1  # raise it if the same model would answer otherwise by this code


class Model(NamedTuple):
    """A checkpoint in the sense of `dart.core.hub.resolve`, and the adapter on it; `note` for what nobody can check."""

    base: Path
    adapter: Path | None
    name: str
    about: str
    note: str = ""


def load_models(sources: Mapping[str, ModelSource], base: ModelSource | None) -> dict[str, Model]:
    """The models behind the sides, pinned.

    Args:
        base: of the adapters; None: what each adapter's configuration names.

    Raises:
        ModelError: a model, its revision or an adapter's base is not there.
    """
    folders = {source: _pinned(source) for source in {*sources.values(), *([base] if base else [])}}
    models = {}
    for role, source in sources.items():
        folder = folders[source]
        if not source.is_adapter:
            resolved = hub.resolve(folder)
            about = f"model {resolved.name} at {resolved.revision}"
            models[role] = Model(folder, None, resolved.name, about)
            continue
        config = _config(folder)
        stated = str(config.get("base_model_name_or_path") or "")
        below = _pinned(_base_of(stated, source)) if base is None else folders[base]
        models[role] = _adapted(source, folder, config, below)
    return models


def _pinned(source: ModelSource) -> Path:
    """A folder that `hub.resolve` reads, or the folder of an adapter."""
    if Path(source.name).is_dir():
        return Path(source.name)
    folder = cache_folder() / FOLDER / "pins" / hashlib.sha256(str(source).encode()).hexdigest()[:16]
    if source.is_adapter:
        try:
            return Path(
                huggingface_hub.snapshot_download(
                    source.name, revision=source.revision, allow_patterns=[CONFIG, WEIGHTS], token=hub.token()
                )
            )
        except Exception as error:  # of the hub, of the network, of the disk
            raise ModelError(f"The adapter {source} cannot be downloaded: {error}. Give a folder instead.") from None
    hub.pin(source.name, source.revision, folder)
    return folder


def _config(folder: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder / CONFIG} cannot be read: {error}. Save the adapter again with PEFT.") from None
    if not (folder / WEIGHTS).is_file():
        raise ModelError(f"{folder} has no {WEIGHTS}. Save the adapter with safe_serialization=True.")
    return content


def _base_of(stated: str, source: ModelSource) -> ModelSource:
    if not stated:
        raise ModelError(f"{source} does not name its base. Give the base model as BASE instead of its answers.")
    if not Path(stated).is_dir() and stated.count("/") != 1:
        raise ModelError(
            f"{source} was trained on {stated!r}, which is neither a folder here nor a model of the hub. Give the base "
            "model as BASE instead of its answers."
        )
    return ModelSource(stated, "main", is_adapter=False)


def _adapted(source: ModelSource, folder: Path, config: Mapping[str, Any], base: Path) -> Model:
    """The adapter on `base`; one that names no revision of its base is copied with this base's in it."""
    resolved = hub.resolve(base)
    stated, note = str(config.get("base_model_name_or_path") or ""), ""
    if config.get("revision") in (None, "", "main"):
        if Path(stated).name != Path(resolved.name).name:
            note = f"{source} says that it was trained on {stated or 'nothing'}; it runs on {resolved.name} here"
        folder = _with_revision(folder, config, resolved.revision)
    name = Path(source.name).name
    return Model(base, folder, name, f"adapter {source} on {resolved.name} at {resolved.revision}", note)


def _with_revision(folder: Path, config: Mapping[str, Any], revision: str) -> Path:
    """A copy of an adapter whose configuration names the base's revision, which every load checks."""
    weights = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()[:16]
    copy = cache_folder() / FOLDER / "adapters" / f"{weights}-{revision[:12]}"
    if not copy.is_dir():
        with replacing(copy) as scratch:
            scratch.mkdir()
            write_json(scratch / CONFIG, {**config, "revision": revision})
            shutil.copyfile(folder / WEIGHTS, scratch / WEIGHTS)
    return copy


def answer_prompts(models: Mapping[str, Model], prompts: Prompts, settings: Answering, seed: int) -> dict[str, Side]:
    """Let every model answer every prompt; what one has answered before, in whatever audit, is read.

    Raises:
        ModelError: a checkpoint cannot be loaded, or a prompt leaves no room for an answer.
    """
    ask = task_of(settings, prompts)
    requests = [GenerationRequest(item, messages(item, ask)) for item in prompts.items]
    results = ResultCache(
        cache_folder() / FOLDER / "answers", ANSWERS, {library: version(library) for library in LIBRARIES}
    )
    sides: dict[str, Side] = {}
    for base in dict.fromkeys(model.base for model in models.values()):
        on_base = {role: model for role, model in models.items() if model.base == base}
        by_role = {role: VariantRequests(model.adapter, requests) for role, model in on_base.items()}
        spec = _spec(hub.resolve(base).name, str(base), settings)
        answers = answer_once(results, base, spec, by_role, settings.decoding, seed)
        for role, model in on_base.items():
            sides[role] = Side(model.name, model.about, [_renamed(each, model.name) for each in answers[role]])
    return sides


def _renamed(answer: Generation, name: str) -> Generation:
    return answer.model_copy(update={"model": name})


def task_of(settings: Answering, prompts: Prompts) -> str:
    """classify or plain."""
    if settings.task != "auto":
        return settings.task
    return "classify" if prompts.has_gold else "plain"


def messages(item: Item, task: str) -> Sequence[Message]:
    """What a model is asked: the question of E.3 about the prompt, or the prompt as it is."""
    return classification.inference(item.prompt) if task == "classify" else [{"role": "user", "content": item.prompt}]


def _spec(name: str, model: str, settings: Answering) -> StudentSpec:
    """A slot that answers and is never trained: the fields of training stand for nothing."""
    precision = settings.precision
    if precision == "auto":
        precision = "bf16" if torch.cuda.is_available() else "fp32"
    return StudentSpec(
        name=name, model=model, revision="main", nano=None, learning_rate=1e-4, stage3_learning_rate=None, epochs=None,
        batch_per_device=1, precision=precision, quantize=settings.quantize, generation_batch=settings.batch,
        engine="transformers", server=None,
    )  # fmt: skip
