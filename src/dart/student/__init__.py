"""Students: load a base, train an adapter on rationales, generate with base and adapters, read the conclusion.

Sections 2.3 (fine-tuning), 2.4 (paired generation under identical conditions) and 2.5 (continued fine-tuning).
The names below are loaded on first use: reading a conclusion needs no torch, and importing it takes seconds.
"""

from __future__ import annotations

import importlib
import logging
import warnings
from typing import TYPE_CHECKING, Any

from dart.student.conclusion import Parsed, parse
from dart.student.rows import TrainingRow

# Said at every start and no concern of a user: an optional kernel that is missing, a name that PEFT still uses.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message=r"`(is_)?gradient_checkpointing", category=FutureWarning)

if TYPE_CHECKING:
    from dart.student.generation import generate
    from dart.student.loading import Student, load
    from dart.student.template import ChatTemplate, prompt_ids, row_ids
    from dart.student.train import train_adapter

__all__ = [
    "ChatTemplate", "Parsed", "Student", "TrainingRow", "generate", "load", "parse", "prompt_ids", "row_ids",
    "train_adapter",
]  # fmt: skip

_HOME = {
    "ChatTemplate": "template", "prompt_ids": "template", "row_ids": "template", "Student": "loading",
    "load": "loading", "generate": "generation", "train_adapter": "train",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"dart.student.{_HOME[name]}"), name)
