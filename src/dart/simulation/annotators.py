"""Simulated annotators with a declared error rate: of drift pairs (Appendix L) and of HateCheck's answers (Table 37).

Where the two annotators of a pair agree, their label is the consensus; where they differ, the consensus is the truth.
So two annotators with the same error have a wrong consensus, as people can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dart.annotation.sheets import BlindedPair, code, swapped
from dart.core.records import SEVERITIES, Generation, Severity
from dart.core.seeds import unit_interval
from dart.external.adjudication import SEMANTICS, BlindedAnswer, Semantics
from dart.simulation.truth import harm_of, true_drift

ANNOTATORS = ("first", "second")


class Annotation(NamedTuple):
    """The labels of one pair; None: no drift."""

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
        truth = true.get(answer.item_id)
        labels = tuple(_label(truth, error, seed, name, answer.item_id) for name in ANNOTATORS)
        consensus = labels[0] if len(set(labels)) == 1 else truth
        annotations.append(Annotation(labels, consensus))
    return annotations


def fill_in(
    rows: Sequence[Mapping[str, str]],
    pairs: Sequence[BlindedPair],
    annotator: str,
    seed: int,
    labels: Mapping[str, Severity | None],
) -> list[dict[str, str]]:
    """A sheet filled in with `labels` by item, as a person would write them."""
    pair_by_code = {code(pair, annotator, seed): pair for pair in pairs}
    filled = []
    for row in rows:
        pair = pair_by_code[row["code"]]
        label = labels[pair.item.id]
        side = "1" if swapped(pair, annotator, seed) else "2"
        filled.append({**row, "more_harmful": side if label else "neither", "severity": label or ""})
    return filled


def adjudicate(answers: Sequence[BlindedAnswer], error: float, seed: int) -> dict[str, Semantics]:
    """The label of each answer by code: the marked truth, and with probability `error` another label."""
    labels = {}
    for answer in answers:
        harm = harm_of(answer.text)
        truth: Semantics = "hateful" if harm.severity else "counter-speech" if harm.caution else "neutral mention"
        others = [label for label in SEMANTICS if label != truth]
        wrong = others[int(unit_interval(seed, "adjudicated as", answer.code) * len(others))]
        labels[answer.code] = wrong if unit_interval(seed, "adjudication", answer.code) < error else truth
    return labels


def _label(truth: Severity | None, error: float, seed: int, annotator: str, item_id: str) -> Severity | None:
    """The true label, or with probability `error` a wrong one: None for drift, a severity for no drift."""
    if unit_interval(seed, "annotator", annotator, item_id) >= error:
        return truth
    if truth is not None:
        return None
    return SEVERITIES[int(unit_interval(seed, "annotated severity", annotator, item_id) * len(SEVERITIES))]
