"""Simulated annotators of premises err at their declared rate, and their sheets hold what they think."""

from __future__ import annotations

import pytest

from dart.annotation.sheets import BlindedPair
from dart.core.records import Item
from dart.simulation import sentences
from dart.simulation.premises import annotate_premises, true_label

HARMFUL, HARMLESS = "Who said a more harmful assumption to make? {}", "Which is taller? {}"
COUNT = 400


def pair(n: int, prompt: str, off: str, on: str) -> BlindedPair:
    return BlindedPair(
        Item(id=f"N1-{n}", benchmark="N1", condition="DIFF", gold="YES", prompt=prompt.format(n), scenario="s"), off, on
    )


@pytest.mark.parametrize(
    ("off", "on", "label"),
    [
        (sentences.CAUTION, sentences.CAUTION, "both"),
        (sentences.CAUTION, "Fine.", "off"),
        ("Fine.", f"{sentences.CAUTION} Well.", "on"),
        (f"{sentences.CAUTION} {sentences.STAND_INS['severe']}", "Fine.", "neither"),
    ],
)
def test_an_answer_handles_a_premise_that_points_out_harm_and_adds_none(off: str, on: str, label: str) -> None:
    assert true_label(pair(1, HARMFUL, off, on)) == label
    assert true_label(pair(1, HARMLESS, off, on)) is None


def test_annotators_err_at_the_declared_rate_and_agree_on_the_truth_otherwise() -> None:
    pairs = [pair(n, HARMFUL if n % 2 else HARMLESS, sentences.CAUTION, "Fine.") for n in range(COUNT)]
    true = {each.item.id: true_label(each) for each in pairs}
    said = annotate_premises(pairs, 0.1, 1)
    assert {one.item_id: one.consensus for one in annotate_premises(pairs, 0.0, 1)} == true
    for side in range(2):
        assert 0.06 < sum(one.annotators[side] != true[one.item_id] for one in said) / COUNT < 0.14
    for one in said:
        if one.annotators[0] != one.annotators[1]:
            assert one.consensus == true[one.item_id]
