"""GPU hours and disk of a run, by part of it: counted trainings and answers, times what one takes by its size.

Orders of magnitude, so that nobody starts a week by mistake: floating-point operations of LoRA (backward through all
layers, layers recomputed), memory traffic of decoding. `benchmarks/student_gpu.py` measures a machine.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from dart.core.params import Params, Profile
from dart.core.schema.ablations import runs
from dart.core.schema.profile import EMBEDDED, StudentSpec

PARTS = ("main path", "ablations", "external", "recipes")
# One GPU of the class of an A100: the share of its 312 TFLOPS (bf16, dense) that training reaches, and of its 2 TB/s of
# memory that decoding does; NF4 is slower in training, and its weights are smaller.
PEAK_FLOPS, TRAINING_SHARE = 312e12, 0.30
MEMORY_BYTES_PER_S, DECODING_SHARE = 2.0e12, 0.35
STEP_OVERHEAD_S = 0.02  # of a decoded token, whatever the size: launches, sampling, the stop rule
NF4_SLOWDOWN = 1.6
ROW_TOKENS, ANSWER_TOKENS = 450, 140  # prompt and rationale of a training row; a new answer
OPENENDED_TOKENS, OPENENDED_QUESTIONS = 400, 4  # the latter: domains
FLOPS_PER_PARAMETER = 6  # a token forward, its layers again, and backward without gradients of frozen weights
ADAPTER_SHARE = 0.0052  # of the parameters, LoRA of rank 16 on all seven projections (Llama-3-8B: 42 M)
ADAPTER_BYTES, COPIES = 4, 2  # fp32; once as an out, once in .dart/results
GIB = 1 << 30

_SIZE = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)\s?[bB](?![a-zA-Z])")


class Work(NamedTuple):
    """What the students of one part of a run train and answer."""

    trainings: float  # of a whole training set, over all epochs
    answers: float


class Compute(NamedTuple):
    """What one slot needs."""

    slot: str
    parameters: float | None  # None: the model's name does not say its size
    hours: dict[str, float]  # by part
    checkpoint_gib: float
    adapters_gib: float


def computes(settings: Params, profile: Profile, sizes: dict[str, int]) -> list[Compute]:
    """GPU hours and disk of every slot.

    Args:
        sizes: {split: items}.
    """
    return [_compute(slot, profile.students[slot], settings, profile, sizes) for slot in settings.students]


def parameters_of(spec: StudentSpec) -> float | None:
    """Parameters by the size in a model's name, e.g. Meta-Llama-3-8B-Instruct; None if there is none."""
    sizes = _SIZE.findall(spec.model.rpartition("/")[2]) or _SIZE.findall(spec.name)
    return float(sizes[-1]) * 1e9 if sizes else None


def _compute(slot: str, spec: StudentSpec, settings: Params, profile: Profile, sizes: dict[str, int]) -> Compute:
    work = {part: _work(part, slot, settings, profile, sizes) for part in PARTS}
    if spec.model.startswith(f"{EMBEDDED}:"):
        return Compute(slot, 0.0, dict.fromkeys(PARTS, 0.0), 0.0, 0.0)
    parameters = parameters_of(spec)
    if parameters is None:
        return Compute(slot, None, dict.fromkeys(PARTS, 0.0), 0.0, 0.0)
    epochs = spec.epochs_of("stage1", settings.training)
    hours = {}
    for part, amount in work.items():
        train = amount.trainings * sizes["train"] * epochs * training_s_per_row(spec, parameters)
        answer = 0.0 if spec.engine == "openai" else amount.answers * answer_s(spec, parameters)
        hours[part] = (train + answer) / 3600
    n_adapters = sum(amount.trainings for amount in work.values())
    adapter = parameters * ADAPTER_SHARE * settings.lora.r / 16 * ADAPTER_BYTES
    return Compute(slot, parameters, hours, parameters * 2 / GIB, n_adapters * adapter * COPIES / GIB)


def training_s_per_row(spec: StudentSpec, parameters: float) -> float:
    """Seconds to train on one row once."""
    seconds = ROW_TOKENS * FLOPS_PER_PARAMETER * parameters / (PEAK_FLOPS * TRAINING_SHARE)
    return seconds * (NF4_SLOWDOWN if spec.quantize == "nf4" else 1.0) * (2.0 if spec.precision == "fp32" else 1.0)


def answer_s(spec: StudentSpec, parameters: float) -> float:
    """Seconds of one answer in a batch of `generation_batch`."""
    weights = parameters * (0.65 if spec.quantize == "nf4" else 2.0 if spec.precision == "bf16" else 4.0)
    step = weights / (MEMORY_BYTES_PER_S * DECODING_SHARE) + STEP_OVERHEAD_S
    return ANSWER_TOKENS * step / spec.generation_batch


def _work(part: str, slot: str, settings: Params, profile: Profile, sizes: dict[str, int]) -> Work:
    seeds, test = len(profile.seeds), sizes["test"]
    tuned = profile.students[slot].distilled is not None  # no Stage I, and one distilled student for all seeds
    if part == "main path":  # Stage I, repair, control; base once, three variants; the policy's second passes
        distilled = 1 if tuned else seeds
        return Work((2 if tuned else 3) * seeds, (1 + distilled + 2 * seeds) * test + 2 * test)
    if part == "ablations":
        if slot != settings.arms.student:
            return Work(0, 0)
        changes = [run.change for _, run in runs(settings.variants).values()]
        stage1 = sum(change.trains_stage1 for change in changes)
        stage3 = sum(change.repair != "none" for change in changes)
        return Work(stage1 + stage3, (stage1 + stage3) * test)
    if part == "external":
        suites = profile.external.sizes
        prompts = suites.bold + suites.holisticbias + suites.realtoxicityprompts + suites.hatecheck
        questions = OPENENDED_QUESTIONS * settings.openended.per_domain * OPENENDED_TOKENS / ANSWER_TOKENS
        return Work(0, 3 * prompts + 2 * questions)
    names = settings.recipes.get(slot, ())
    if not names:
        return Work(0, 0)
    both = test + sizes["validation"]
    return Work(
        len(names) * seeds, len(names) * seeds * both + 3 * seeds * sizes["validation"] + seeds * sizes["train"]
    )
