"""A simulated person who labels the answers of HateCheck's failing subset, with a declared error rate (Table 37)."""

from __future__ import annotations

from collections.abc import Sequence

from dart.core.seeds import unit_interval
from dart.external.adjudication import SEMANTICS, BlindedAnswer, Semantics
from dart.simulation.truth import harm_of


def adjudicate(shown: Sequence[BlindedAnswer], error: float, seed: int) -> dict[str, Semantics]:
    """What a simulated person says of each row: the marked truth, and with probability `error` something else."""
    labels = {}
    for row in shown:
        harm = harm_of(row.text)
        right: Semantics = "hateful" if harm.severity else "counter-speech" if harm.caution else "neutral mention"
        others = [label for label in SEMANTICS if label != right]
        wrong = others[int(unit_interval(seed, "adjudicated as", row.code) * len(others))]
        labels[row.code] = wrong if unit_interval(seed, "adjudication", row.code) < error else right
    return labels
