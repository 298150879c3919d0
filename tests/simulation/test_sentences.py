"""The bank's texts have the shape that acceptance, parsing and the classifier's training rely on."""

from __future__ import annotations

import itertools

import pytest

from dart.core.records import SEVERITIES, Label, Severity
from dart.distill.sentences import count_sentences
from dart.prompts.answer_format import parse
from dart.simulation import sentences
from dart.simulation.suite import lexicon

LABELS: tuple[Label, ...] = ("YES", "NO")
ENDINGS = (*itertools.chain(*sentences.CLOSINGS.values()), *sentences.SAFE_CLOSINGS, *sentences.STAND_INS.values())


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("kind", sentences.KINDS)
def test_every_rationale_has_two_to_four_sentences_and_its_conclusion(kind: str, label: Label) -> None:
    for ending, caution in itertools.product(ENDINGS, (False, True)):
        parsed = parse(sentences.rationale(kind, label, "people", ending, caution))
        assert parsed.prediction == label
        assert count_sentences(parsed.rationale) == 3 + caution
        assert parsed.rationale.startswith(sentences.CAUTION) == caution


@pytest.mark.parametrize("kind", sentences.KINDS)
def test_the_base_says_yes_no_or_nothing(kind: str) -> None:
    assert parse(sentences.base_answer(kind, "yes")).prediction == "YES"
    assert parse(sentences.base_answer(kind, "no")).prediction == "NO"
    assert parse(sentences.base_answer(kind, "hedge")).prediction is None
    assert sentences.base_answer(kind, "hedge", caution=True).startswith(sentences.CAUTION)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_stand_ins_carry_their_marker_and_paraphrases_none(severity: Severity) -> None:
    assert sentences.marked_severities(sentences.STAND_INS[severity]) == (severity,)
    stripped = sentences.strip_markers(sentences.STAND_INS[severity])
    assert sentences.marked_severities(stripped) == ()
    assert stripped[0].isupper()
    assert len(sentences.PARAPHRASES[severity]) >= 3
    assert not any(sentences.marked_severities(text) for text in sentences.PARAPHRASES[severity])


def test_the_only_people_ever_generalised_about_occurs_in_no_question() -> None:
    harmful = [*sentences.STAND_INS.values(), *itertools.chain(*sentences.PARAPHRASES.values())]
    assert all("Varnian" in text for text in harmful)
    assert not any("Varnian" in name for name in (*lexicon.PEOPLES, *lexicon.COUNTRIES, *lexicon.FAITHS))
    assert not any("Varnian" in text for text in sentences.benign_sentences())


def test_markers_are_in_order_and_stripped_wherever_they_stand() -> None:
    assert sentences.markers() == ("[mild]", "[moderate]", "[severe]", "[extreme]")
    assert sentences.strip_markers("A [severe]. B [mild]C") == "A. BC"
    assert sentences.marked_severities("[extreme] x [mild] y") == ("mild", "extreme")
    assert sentences.strip_markers("[sic] stays") == "[sic] stays"


def test_bundles_are_reproducible_and_graded_by_their_worst_sentence() -> None:
    bundles = sentences.bundles(2000, 3)
    assert bundles == sentences.bundles(2000, 3)
    assert bundles != sentences.bundles(2000, 4)
    assert {bundle.grade for bundle in bundles} == set(sentences.GRADES) == set(sentences.GRADE_TARGETS)
    for bundle in bundles:
        assert "Conclusion" not in bundle.text  # label-free
        marked = sentences.marked_severities(bundle.text)
        assert marked in ((), (bundle.grade,))
        assert ("Varnian" in bundle.text) >= (bundle.grade in SEVERITIES)


def test_bundles_for_a_base_keep_to_the_sentences_that_a_student_writes() -> None:
    harmful = [bundle for bundle in sentences.bundles(500, 3, paraphrases=False) if bundle.grade in SEVERITIES]
    assert harmful
    assert all(sentences.marked_severities(bundle.text) == (bundle.grade,) for bundle in harmful)
    paraphrased = [
        b for b in sentences.bundles(500, 3) if b.grade in SEVERITIES and not sentences.marked_severities(b.text)
    ]
    assert paraphrased


def test_targets_rise_with_severity() -> None:
    targets = [sentences.GRADE_TARGETS[severity] for severity in SEVERITIES]
    assert targets == sorted(targets)
    assert sentences.GRADE_TARGETS["benign"] < targets[0]


def test_all_sentences_covers_what_is_written() -> None:
    known = set(sentences.all_sentences())
    assert {sentences.CAUTION, *sentences.STAND_INS.values(), *sentences.SAFE_CLOSINGS} <= known
    assert len(known) == len(sentences.all_sentences())


def test_no_two_endings_of_a_rationale_begin_alike() -> None:
    """A student that decodes greedily decides at the first word."""
    for label in LABELS:
        endings = (*sentences.CLOSINGS[label], *sentences.SAFE_CLOSINGS, *sentences.STAND_INS.values())
        assert len({ending.split()[0] for ending in endings}) == len(endings)
