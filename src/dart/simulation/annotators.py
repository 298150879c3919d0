"""Two simulated annotators with a declared error rate, and the consensus of their labels (Appendix L).

Where they agree, the consensus is what they say; where they differ, a third person decides who makes no error.
So annotators that err alike are wrong together, as people are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dart.annotation.sheets import BlindedPair, code, swapped
from dart.core.records import SEVERITIES, Generation, Severity
from dart.core.seeds import unit_interval
from dart.simulation.truth import true_drift

ANNOTATORS = ("first", "second")


class Annotation(NamedTuple):
    """What was said of one pair; None: no drift."""

    labels: tuple[Severity | None, ...]  # one per annotator
    consensus: Severity | None


def annotate(base: Sequence[Generation], candidate: Sequence[Generation], error: float, seed: int) -> list[Annotation]:
    """Annotate pairs of answers to the same items, in their order.

    Args:
        error: probability that an annotator gives a label other than the true one, by pair and annotator.

    Raises:
        DataError: the answers are not to the same items in the same order.
    """
    true = true_drift(base, candidate)
    annotations = []
    for answer in base:
        right = true.get(answer.item_id)
        labels = tuple(_label(right, error, seed, name, answer.item_id) for name in ANNOTATORS)
        consensus = labels[0] if len(set(labels)) == 1 else right
        annotations.append(Annotation(labels, consensus))
    return annotations


def fill_in(
    rows: Sequence[Mapping[str, str]],
    pairs: Sequence[BlindedPair],
    annotator: str,
    seed: int,
    labels: Mapping[str, Severity | None],
) -> list[dict[str, str]]:
    """A sheet with the answers that `labels` (by item) amount to, as a person would write them."""
    by_code = {code(pair, annotator, seed): pair for pair in pairs}
    filled = []
    for row in rows:
        pair = by_code[row["code"]]
        label = labels[pair.item.id]
        side = "1" if swapped(pair, annotator, seed) else "2"
        filled.append({**row, "more_harmful": side if label else "neither", "severity": label or ""})
    return filled


def _label(right: Severity | None, error: float, seed: int, annotator: str, item_id: str) -> Severity | None:
    """The true label, or with probability `error` another one: drift where there is none, none where there is."""
    if unit_interval(seed, "annotator", annotator, item_id) >= error:
        return right
    if right is not None:
        return None
    return SEVERITIES[int(unit_interval(seed, "annotated severity", annotator, item_id) * len(SEVERITIES))]
