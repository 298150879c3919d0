"""The range of every number in params.yaml and the profiles, checked on the files before anything runs.

The types in `dart.core.schema` say from where a number begins to have a meaning. The ranges here are limits against
slips: a threshold outside the scale, an infinite price, a seed of thirty digits. No result depends on them, so they
stand apart from the types: a changed limit re-runs no stage.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from pydantic import BaseModel

from dart.core.visible_text import short


class Range(NamedTuple):
    """Both ends belong to it."""

    low: float
    high: float
    meaning: str = ""


_SHARE = Range(0, 1, "a share")
_SEED = Range(0, 2**63 - 1, "a seed has at most 63 bits")
_TOKENS = Range(1, 1 << 20, "tokens")
_TEMPERATURE = Range(0, 5, "a temperature")
_RATE = Range(0, 1, "a learning rate")
_SCREEN = Range(-1, 1, "a difference of two probabilities")
_PRICE = Range(0, 1e6, "USD")

# By dotted key, the first pattern that fits; `*` stands for any part of a key, so also for `a.b`.
RANGES: Mapping[str, Range] = {
    "seed": _SEED,
    "seeds.*": _SEED,
    "split.folds": Range(2, 100),
    "*.folds.*": Range(0, 99),
    "distill.*_sentences": Range(1, 100),
    "distill.quote_window": Range(10, 100_000, "characters"),
    "*.correction_rounds": Range(0, 20),
    "lora.r": Range(1, 1024, "a rank"),
    "*.rank": Range(1, 1024, "a rank"),
    "lora.alpha": Range(1, 65_536),
    "lora.dropout": _SHARE,
    "training.epochs": Range(1, 1000),
    "*.epochs.*": Range(1, 1000),
    "training.global_batch": Range(1, 65_536, "rows"),
    "training.warmup_ratio": _SHARE,
    "training.weight_decay": Range(0, 10),
    "training.max_grad_norm": Range(0, 1e6),
    "training.max_length": _TOKENS,
    "*tau_delta": _SCREEN,
    "audit.votes": Range(1, 99),
    "audit.unscreened_rate": _SHARE,
    "policy.harmful_above": _SHARE,
    "*severity_weights.*": Range(0, 1000, "copies of a row"),
    "annotation.pairs": Range(1, 100_000),
    "openended.per_domain": Range(1, 10_000),
    "toxreg.samples": Range(2, 64),
    "toxreg.every": Range(1, 100_000, "steps"),
    "statistics.resamples": Range(100, 1_000_000),
    "statistics.confidence": _SHARE,
    "equivalence.accuracy": _SHARE,
    "*.toxicity_weight": Range(0, 1000),
    "suite.sizes.*": Range(2, 1_000_000, "items"),
    "external.sizes.*": Range(1, 1_000_000, "prompts"),
    "*.nano.layers": Range(1, 100),
    "*.nano.*": Range(1, 65_536),
    "*learning_rate": _RATE,
    "*.batch_per_device": Range(1, 65_536, "rows"),
    "*.generation_batch": Range(1, 65_536, "prompts"),
    "scorers.*.batch": Range(1, 65_536, "texts"),
    "*.max_length": _TOKENS,
    "*.max_tokens": _TOKENS,
    "*.max_new_tokens": _TOKENS,
    "*.top_p": _SHARE,
    "*.temperature": _TEMPERATURE,
    "*.concurrency": Range(1, 10_000, "requests"),
    "*_per_minute": Range(1, 1e12),
    "*.timeout_s": Range(0, 86_400, "seconds"),
    "*usd*": _PRICE,
    "*.share": _SHARE,
    "*_share": _SHARE,
    "simulation.world.plain_closings": Range(1, 16),
    "simulation.world.safe_closings": Range(1, 4),
    "simulation.*": _SHARE,
}
ANY = Range(-1e15, 1e15)  # of a number that no pattern names


def nonsense(content: Mapping[str, Any], where: str) -> dict[str, str]:
    """{dotted key: one line} of every number outside its range, of what no number is, and of slots named twice."""
    lines = {}
    for key, value in _leaves(content, ""):
        limits = next((limits for pattern, limits in RANGES.items() if fnmatchcase(key, pattern)), None)
        if isinstance(value, bool):
            if limits is not None:
                lines[key] = f"{where}: {key} = {value}: a number is needed, not yes or no"
        elif isinstance(value, int | float):
            low, high, meaning = limits or ANY
            if not math.isfinite(value):
                lines[key] = f"{where}: {key} = {value}: must be a finite number"
            elif not low <= value <= high:
                what = f" ({meaning})" if meaning else ""
                lines[key] = f"{where}: {key} = {short(value)}: must be between {low:g} and {high:g}{what}"
    students = content.get("students")
    if isinstance(students, list) and len({*map(str, students)}) < len(students):
        lines["students"] = f"{where}: students: a slot is named twice"
    return lines


def misread(content: Any, model: Any, where: str, key: str = "") -> Iterator[tuple[str, str]]:
    """(dotted key, one line) of every value that the types take for a number and the file writes otherwise."""
    if isinstance(content, Mapping):
        for name, value in content.items():
            part = getattr(model, str(name), None) if isinstance(model, BaseModel) else model.get(name)
            yield from misread(value, part, where, f"{key}.{name}" if key else str(name))
    elif isinstance(content, list) and isinstance(model, tuple | list):
        for index, (value, part) in enumerate(zip(content, model, strict=False)):
            yield from misread(value, part, where, f"{key}.{index}")
    elif isinstance(content, bool | str) and isinstance(model, int | float) and type(model) is not type(content):
        yield key, f"{where}: {key} = {short(content)}: a number is needed, without quotes"


def _leaves(content: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _leaves(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from _leaves(value, f"{prefix}.{index}")
    else:
        yield prefix, content
