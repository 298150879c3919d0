"""Stage II: find the answers whose explanation became more harmful by fine-tuning (Section 2.4).

Scores (`classifier`), the screen of Eq. 1 (`screen`), the judge's verdict (`judge`), both together over a test set
(`audit`), and what two audits say about repair (`drift`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dart.harm.audit import audit
from dart.harm.drift import Change, change, drift_cases
from dart.harm.judge import parse_verdict
from dart.harm.screen import passes_screen, toxicity_delta

if TYPE_CHECKING:
    from dart.harm.classifier import Classifier, score_generations

__all__ = [
    "Change", "Classifier", "audit", "change", "drift_cases", "parse_verdict", "passes_screen", "score_generations",
    "toxicity_delta",
]  # fmt: skip

# Loaded on first use: an audit reads scores and needs no torch, whose import takes seconds.
_CLASSIFIER = frozenset({"Classifier", "score_generations"})


def __getattr__(name: str) -> Any:
    if name not in _CLASSIFIER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("dart.harm.classifier"), name)
