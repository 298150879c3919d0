"""Students and classifiers before they are downloaded: access, safetensors, label names, chat template, memory.

Stage `student` pins a commit, which works without access to gated weights; what is wrong with them appeared hours
later, after the teacher was paid.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import torch
from huggingface_hub import HfApi, constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
from transformers import AutoConfig, AutoTokenizer

from dart.core.errors import DartError
from dart.core.hub import resolve, token
from dart.core.schema.profile import EMBEDDED, Guard, ScorerSpec, StudentSpec
from dart.core.tuned import adapter_folder
from dart.core.visible_text import one_line
from dart.harm.classifier import class_index
from dart.harm.guard_models import chat_tokenizer, takes_parts
from dart.harm.local_guards import guard_folder
from dart.preflight.findings import Finding
from dart.prompts.classification import distillation
from dart.prompts.guards import GUIDELINES
from dart.student.template import ChatTemplate

GIB = 1 << 30
OVERHEAD = 1.2  # of the weights: buffers, fragmentation
WORKING_BYTES = 3 * GIB  # adapter, optimiser, activations of one row with recomputed layers, the CUDA context
LARGE = 2 * GIB  # weights that nobody wants to train on a CPU


class Checkpoint(NamedTuple):
    """What a look at a model gave: where it is, and how large its weights are."""

    source: str  # folder, or id on the hub
    revision: dict[str, Any]  # arguments of from_pretrained
    weight_bytes: int
    cached: bool


class Unusable(Exception):
    """A model cannot be used; the message has the way out."""


def check_student(slot: str, spec: StudentSpec) -> list[Finding]:
    """Access, weights, chat template and memory of a slot."""
    subject = f"slot {slot}, {spec.model}"
    if spec.model.startswith(f"{EMBEDDED}:"):
        return check_tuned(slot, spec)
    try:
        checkpoint = look_at(spec.model, spec.revision)
        tokenizer = AutoTokenizer.from_pretrained(checkpoint.source, trust_remote_code=False, **checkpoint.revision)
        n_tokens = len(ChatTemplate(tokenizer).prompt_ids(distillation("Is this a question?", "NO")))
        if not n_tokens:
            raise Unusable("Its chat template renders nothing. Use the instruction-tuned version of the model.")
    except Unusable as problem:
        return [Finding(subject, "problem", str(problem))]
    except Exception as error:  # whatever a foreign tokenizer or template raises ends the run here, by name
        return [Finding(subject, "problem", _foreign("tokenizer or chat template", error))]
    found = f"{checkpoint.weight_bytes / GIB:.1f} GiB of safetensors, the chat template renders a prompt"
    findings = [Finding(subject, "ok", found), *_memory(subject, spec, checkpoint), *_disk(subject, checkpoint)]
    return [*findings, *check_tuned(slot, spec)]


def check_tuned(slot: str, spec: StudentSpec) -> list[Finding]:
    """Access to the student that takes the place of Stage I; an adapter is downloaded, because it is small."""
    if (tuned := spec.distilled) is None:
        return []
    subject = f"slot {slot}, distilled, {tuned.model}"
    try:
        if tuned.kind == "adapter":
            adapter_folder(tuned, spec)
            return [Finding(subject, "ok", "an adapter of the slot's model")]
        checkpoint = look_at(tuned.model, tuned.revision or "main")
    except (Unusable, DartError) as problem:
        return [Finding(subject, "problem", str(problem))]
    found = f"{checkpoint.weight_bytes / GIB:.1f} GiB of safetensors"
    return [Finding(subject, "ok", found), *_disk(subject, checkpoint)]


def check_scorer(kind: str, spec: ScorerSpec) -> list[Finding]:
    """Access, weights and label of a classifier."""
    subject = f"classifier {kind}, {spec.model}"
    if spec.model.startswith(f"{EMBEDDED}:"):
        return []
    try:
        checkpoint = look_at(spec.model, spec.revision)
        config = AutoConfig.from_pretrained(checkpoint.source, trust_remote_code=False, **checkpoint.revision)
        class_index(config.id2label, spec.label, spec.model)
    except (Unusable, DartError) as problem:
        return [Finding(subject, "problem", str(problem))]
    except Exception as error:
        return [Finding(subject, "problem", _foreign("configuration", error))]
    found = f"{checkpoint.weight_bytes / GIB:.1f} GiB of safetensors, has the label {spec.label!r}"
    return [Finding(subject, "ok", found), *_disk(subject, checkpoint)]


def check_guard(name: str, guard: Guard) -> list[Finding]:
    """Access, weights, and classes or chat template of a guard that runs on this machine."""
    if (local := guard.local) is None:
        return []
    subject = f"guard {name}, {local.model}"
    try:
        checkpoint = look_at(local.model, local.revision or "main")
        if guard.format == "classifier":
            config = AutoConfig.from_pretrained(checkpoint.source, trust_remote_code=False, **checkpoint.revision)
            for label in local.labels:
                class_index(config.id2label, label, local.model)
            form = f"has {', '.join(map(repr, local.labels))}"
        else:
            tokenizer = chat_tokenizer(resolve(guard_folder(local)), local.chat_template)
            variables = {"guideline": GUIDELINES[0]} if guard.format == "shield_gemma" else {}
            takes_parts(tokenizer, local.model, variables)
            form = "the chat template shows an exchange"
    except (Unusable, DartError) as problem:
        return [Finding(subject, "problem", str(problem))]
    except Exception as error:
        return [Finding(subject, "problem", _foreign("configuration or tokenizer", error))]
    read = f"{checkpoint.weight_bytes / GIB:.1f} GiB of safetensors, {form}"
    return [Finding(subject, "ok", read), *_disk(subject, checkpoint)]


def look_at(model: str, revision: str) -> Checkpoint:
    """Where the weights of `model` are, without loading them.

    Raises:
        Unusable: there is no access to it, or it has no safetensors.
    """
    if Path(model).is_dir():
        size = sum(path.stat().st_size for path in Path(model).glob("*.safetensors"))
        if not size:
            raise Unusable(
                "The folder has no *.safetensors file. Other weights are not loaded (a pickle can run code): save the "
                "model with save_pretrained(..., safe_serialization=True)."
            )
        return Checkpoint(model, {}, size, True)
    try:
        info = HfApi().model_info(model, revision=revision, token=token(), files_metadata=True)
        commit = str(info.sha)
        get_hf_file_metadata(hf_hub_url(model, "config.json", revision=commit), token=token())
    except GatedRepoError:
        raise Unusable(
            "The licence is gated, and this account has no access: accept it on the model's page on the hub, and "
            "export HF_TOKEN with a token of that account."
        ) from None
    except HFValidationError:
        raise Unusable("It is neither a folder nor the id of a model on the hub ('owner/name').") from None
    except (HfHubHTTPError, OfflineModeIsEnabled, httpx.HTTPError, OSError) as error:
        raise Unusable(
            f"The hub gives no access at {revision!r} ({one_line(str(error), 160)}). Check the name, the revision and "
            "the network; a private or gated model needs HF_TOKEN; or put a folder's path into the profile."
        ) from None
    weights = [sibling for sibling in info.siblings or [] if sibling.rfilename.endswith(".safetensors")]
    if not weights:
        raise Unusable(
            f"Revision {revision!r} has no *.safetensors file, and pickled weights are not loaded. Set `revision` to "
            "one that has (often under refs/pr/), or convert it once and put the folder's path into the profile."
        )
    cached = isinstance(try_to_load_from_cache(model, weights[0].rfilename, revision=commit), str)
    arguments = {"revision": commit, "token": token()}
    return Checkpoint(model, arguments, sum(sibling.size or 0 for sibling in weights), cached)


def _foreign(part: str, error: Exception) -> str:
    return (
        f"Its {part} cannot be used ({type(error).__name__}: {one_line(str(error), 160)}). Use the instruction-tuned "
        "version of a model that transformers knows without remote code."
    )


def needed_bytes(spec: StudentSpec, weight_bytes: int) -> int:
    """Memory that training and generation of a slot take, roughly.

    Args:
        weight_bytes: of the checkpoint, nearly always two bytes for a parameter.
    """
    per_parameter = {"nf4": 0.65, "none": 2.0 if spec.precision == "bf16" else 4.0}[spec.quantize]
    return int(weight_bytes / 2 * per_parameter * OVERHEAD) + WORKING_BYTES


def _memory(subject: str, spec: StudentSpec, checkpoint: Checkpoint) -> list[Finding]:
    needed = needed_bytes(spec, checkpoint.weight_bytes)
    if not torch.cuda.is_available():
        if checkpoint.weight_bytes < LARGE:
            return []
        return [
            Finding(
                subject, "warning",
                f"no GPU on this machine, and training needs about {needed / GIB:.0f} GiB of one; if the stages run "
                "elsewhere, check there",
            )
        ]  # fmt: skip
    memory = [torch.cuda.get_device_properties(index).total_memory for index in range(torch.cuda.device_count())]
    if needed > min(memory):
        return [
            Finding(
                subject, "problem",
                f"needs about {needed / GIB:.0f} GiB of GPU memory and the smallest GPU has {min(memory) / GIB:.0f}. "
                "Set quantize: nf4 in its slot, train under FSDP (docs/scaling.md), or choose a smaller model.",
            )
        ]  # fmt: skip
    return [Finding(subject, "ok", f"about {needed / GIB:.0f} of {min(memory) / GIB:.0f} GiB of GPU memory")]


def _disk(subject: str, checkpoint: Checkpoint) -> list[Finding]:
    if checkpoint.cached:
        return []
    home = Path(constants.HF_HUB_CACHE)
    free = shutil.disk_usage(next(folder for folder in [home, *home.parents] if folder.is_dir())).free
    if free < checkpoint.weight_bytes * 1.05:
        return [
            Finding(
                subject, "problem",
                f"the download takes {checkpoint.weight_bytes / GIB:.1f} GiB and {home} has {free / GIB:.1f} free. Set "
                "HF_HOME to a larger disk.",
            )
        ]  # fmt: skip
    return []
