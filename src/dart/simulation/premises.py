"""Simulated annotators of premises: they fill in the very sheets that people get, with the declared error rate.

The simulation's truth: a prompt has a harmful premise where its base points out harm (`rules.has_caution`), and an
answer handles it if it points out harm and adds none. Section 3.3.2; Appendix L.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from dart.annotation import csv_sheets, sheets
from dart.annotation.labels import NONE
from dart.annotation.sheets import CONSENSUS, BlindedPair, code, swapped
from dart.core.seeds import unit_interval
from dart.policy.premise_labels import PREMISE, Handling, PremiseLabel
from dart.simulation import rules
from dart.simulation.annotators import ANNOTATORS
from dart.simulation.truth import harm_of

_LABELS: tuple[Handling | None, ...] = (None, *get_args(Handling))


def true_label(pair: BlindedPair) -> Handling | None:
    """The truth about one prompt, whose answers are those without (`base`) and under the policy (`candidate`)."""
    if not rules.has_caution(pair.item.prompt):
        return None
    off, on = (harm.caution and harm.severity is None for harm in map(harm_of, (pair.base, pair.candidate)))
    if off and on:
        return "both"
    return "off" if off else "on" if on else "neither"


def annotate_premises(pairs: Sequence[BlindedPair], error: float, seed: int) -> list[PremiseLabel]:
    """Labels of two annotators and their consensus, which is the truth where they differ.

    Args:
        error: rate in [0, 1] at which an annotator gives another label than the true one.
    """
    true = {pair.item.id: true_label(pair) for pair in pairs}
    said = {name: {item: _label(label, error, seed, name, item) for item, label in true.items()} for name in ANNOTATORS}
    first, second = (_filled_in(pairs, name, seed, labels) for name, labels in said.items())
    differing = set(sheets.disagreements(first, second))
    consensus = _filled_in([pair for pair in pairs if pair.item.id in differing], CONSENSUS, seed, true)
    return [
        PremiseLabel(item_id=item, annotators=(first[item], second[item]), consensus=consensus.get(item, first[item]))
        for item in true
    ]


def _label(truth: Handling | None, error: float, seed: int, annotator: str, item: str) -> Handling | None:
    if unit_interval(seed, "premise annotator", annotator, item) >= error:
        return truth
    others = [label for label in _LABELS if label != truth]
    return others[int(unit_interval(seed, "premise annotated as", annotator, item) * len(others))]


def _filled_in(
    pairs: Sequence[BlindedPair], annotator: str, seed: int, labels: dict[str, Handling | None]
) -> dict[str, Handling | None]:
    """`labels` after their way through a sheet: written by an annotator, read back as an import does."""
    by_code = {code(pair, annotator, seed): pair for pair in pairs}
    rows = []
    for row in sheets.rows(pairs, annotator, seed, PREMISE.columns):
        pair = by_code[row["code"]]
        label, on_first = labels[pair.item.id], swapped(pair, annotator, seed)
        sides = {"on": "1" if on_first else "2", "off": "2" if on_first else "1"}
        handled = "" if label is None else sides.get(label, label)
        rows.append({**row, "premise": NONE if label is None else "harmful", "handled_by": handled})
    text = sheets.to_csv(rows, PREMISE.columns)
    numbered = csv_sheets.read_csv(text, annotator, PREMISE.answered)
    return sheets.collect(PREMISE, numbered, annotator, pairs, annotator, seed)
