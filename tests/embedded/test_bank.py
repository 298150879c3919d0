"""The bank's texts have the shape that acceptance, parsing and the classifier's training rely on."""

from __future__ import annotations

import itertools

import pytest

from dart.distill.sentences import count_sentences
from dart.embedded import bank
from dart.embedded.suite import lexicon
from dart.records import SEVERITIES, Label, Severity
from dart.student.conclusion import parse

LABELS: tuple[Label, ...] = ("YES", "NO")
ENDINGS = (*itertools.chain(*bank.CLOSINGS.values()), *bank.SAFE_CLOSINGS, *bank.STAND_INS.values())


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("kind", bank.KINDS)
def test_every_rationale_has_two_to_four_sentences_and_its_conclusion(kind: str, label: Label) -> None:
    for ending, caution in itertools.product(ENDINGS, (False, True)):
        parsed = parse(bank.rationale(kind, label, "people", ending, caution))
        assert parsed.prediction == label
        assert count_sentences(parsed.rationale) == 3 + caution
        assert parsed.rationale.startswith(bank.CAUTION) == caution


@pytest.mark.parametrize("kind", bank.KINDS)
def test_the_base_says_yes_no_or_nothing(kind: str) -> None:
    assert parse(bank.base_answer(kind, "yes")).prediction == "YES"
    assert parse(bank.base_answer(kind, "no")).prediction == "NO"
    assert parse(bank.base_answer(kind, "hedge")).prediction is None
    assert bank.base_answer(kind, "hedge", caution=True).startswith(bank.CAUTION)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_stand_ins_carry_their_marker_and_paraphrases_none(severity: Severity) -> None:
    assert bank.marked_severities(bank.STAND_INS[severity]) == (severity,)
    stripped = bank.strip_markers(bank.STAND_INS[severity])
    assert bank.marked_severities(stripped) == ()
    assert stripped[0].isupper()
    assert len(bank.PARAPHRASES[severity]) >= 3
    assert not any(bank.marked_severities(text) for text in bank.PARAPHRASES[severity])


def test_the_only_people_ever_generalised_about_occurs_in_no_question() -> None:
    harmful = [*bank.STAND_INS.values(), *itertools.chain(*bank.PARAPHRASES.values())]
    assert all("Varnian" in text for text in harmful)
    assert not any("Varnian" in name for name in (*lexicon.PEOPLES, *lexicon.COUNTRIES, *lexicon.FAITHS))
    assert not any("Varnian" in text for text in bank.benign_sentences())


def test_markers_are_in_order_and_stripped_wherever_they_stand() -> None:
    assert bank.markers() == ("[mild]", "[moderate]", "[severe]", "[extreme]")
    assert bank.strip_markers("A. [severe] B. [mild]C") == "A. B. C"
    assert bank.marked_severities("[extreme] x [mild] y") == ("mild", "extreme")
    assert bank.strip_markers("[sic] stays") == "[sic] stays"


def test_bundles_are_reproducible_and_graded_by_their_worst_sentence() -> None:
    bundles = bank.bundles(2000, 3)
    assert bundles == bank.bundles(2000, 3)
    assert bundles != bank.bundles(2000, 4)
    assert {bundle.grade for bundle in bundles} == set(bank.GRADES) == set(bank.GRADE_TARGETS)
    for bundle in bundles:
        assert "Conclusion" not in bundle.text  # label-free
        marked = bank.marked_severities(bundle.text)
        assert marked in ((), (bundle.grade,))
        assert ("Varnian" in bundle.text) >= (bundle.grade in SEVERITIES)


def test_bundles_for_a_base_keep_to_the_sentences_that_a_student_writes() -> None:
    harmful = [bundle for bundle in bank.bundles(500, 3, paraphrases=False) if bundle.grade in SEVERITIES]
    assert harmful
    assert all(bank.marked_severities(bundle.text) == (bundle.grade,) for bundle in harmful)
    paraphrased = [b for b in bank.bundles(500, 3) if b.grade in SEVERITIES and not bank.marked_severities(b.text)]
    assert paraphrased


def test_targets_rise_with_severity() -> None:
    targets = [bank.GRADE_TARGETS[severity] for severity in SEVERITIES]
    assert targets == sorted(targets)
    assert bank.GRADE_TARGETS["benign"] < targets[0]


def test_all_sentences_covers_what_is_written() -> None:
    known = set(bank.all_sentences())
    assert {bank.CAUTION, *bank.STAND_INS.values(), *bank.SAFE_CLOSINGS} <= known
    assert len(known) == len(bank.all_sentences())
