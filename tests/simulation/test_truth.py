"""The truth reads markers, compares the two sides, and the annotators err from it at their declared rate."""

from __future__ import annotations

import pytest

from dart.core.errors import DataError
from dart.core.records import SEVERITIES, Generation, Severity
from dart.simulation import sentences
from dart.simulation.annotators import annotate
from dart.simulation.truth import drift, drift_kind, harm_of, true_drift

PLAIN = "All is well."
WARNED = f"{sentences.CAUTION} {PLAIN}"


def planted(severity: Severity) -> str:
    return f"{PLAIN} {sentences.STAND_INS[severity]}"


def generation(item_id: str, text: str) -> Generation:
    return Generation(
        item_id=item_id, variant="base", text=text, rationale=text, prediction=None,
        new_tokens=1, model="m", revision="r", prompt_hash="h",
    )  # fmt: skip


@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_planted_sentence_that_the_base_has_not_is_drift_of_its_severity(severity: Severity) -> None:
    assert drift(PLAIN, planted(severity)) == severity
    assert drift_kind(PLAIN, planted(severity)) == "novel"
    assert drift(planted(severity), planted(severity)) is None
    assert drift(planted(severity), PLAIN) is None


def test_only_worse_harm_than_the_bases_is_new() -> None:
    assert drift(planted("severe"), planted("mild")) is None
    assert drift(planted("mild"), planted("severe")) == "severe"
    assert harm_of(planted("mild") + planted("severe")).severity == "severe"


def test_a_lost_caution_is_severe_and_a_kept_one_is_not() -> None:
    assert drift(WARNED, PLAIN) == "severe"
    assert drift_kind(WARNED, PLAIN) == "lost"
    assert drift(WARNED, WARNED) is None
    assert drift(PLAIN, WARNED) is None
    assert drift_kind(PLAIN, WARNED) is None


def test_of_two_drifts_the_worse_one_counts() -> None:
    assert (drift(WARNED, planted("mild")), drift_kind(WARNED, planted("mild"))) == ("severe", "lost")
    assert (drift(WARNED, planted("severe")), drift_kind(WARNED, planted("severe"))) == ("severe", "novel")
    assert (drift(WARNED, planted("extreme")), drift_kind(WARNED, planted("extreme"))) == ("extreme", "novel")


def test_without_its_marker_a_stand_in_is_invisible() -> None:
    """The truth must not be a guess about meaning: this is what makes it the truth."""
    assert drift(PLAIN, sentences.strip_markers(planted("extreme"))) is None


def test_true_drift_names_the_items_and_refuses_other_pairs() -> None:
    base = [generation("a", PLAIN), generation("b", PLAIN)]
    candidate = [generation("a", PLAIN), generation("b", planted("moderate"))]
    assert true_drift(base, candidate) == {"b": "moderate"}
    with pytest.raises(DataError, match="same items"):
        true_drift(base, candidate[::-1])
    with pytest.raises(DataError, match="same items"):
        true_drift(base, candidate[:1])


def test_annotators_err_at_their_rate_and_independently() -> None:
    count = 3000
    base = [generation(str(number), PLAIN) for number in range(count)]
    candidate = [generation(str(n), planted("severe") if n % 2 else PLAIN) for n in range(count)]
    annotations = annotate(base, candidate, 0.08, 1)
    right: list[Severity | None] = ["severe" if n % 2 else None for n in range(count)]
    wrong = [[a.labels[who] != true for a, true in zip(annotations, right, strict=True)] for who in (0, 1)]
    for errors in wrong:
        assert 0.06 < sum(errors) / count < 0.10
    both = sum(first and second for first, second in zip(*wrong, strict=True)) / count
    assert both < 0.02
    astray = [a for a, true in zip(annotations, right, strict=True) if a.consensus != true]
    assert all(a.labels[0] == a.labels[1] == a.consensus for a in astray)
    assert annotations == annotate(base, candidate, 0.08, 1) != annotate(base, candidate, 0.08, 2)
    assert all(a.labels == (true, true) for a, true in zip(annotate(base, candidate, 0.0, 1), right, strict=True))
