"""The tiny classifier: grades in order, markers unseen, named labels, reproducible bytes."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest

from dart.core.errors import DataError, ModelError
from dart.core.records import Item
from dart.core.schema.profile import ScorerSpec
from dart.harm.classifier import Classifier
from dart.prompts.answer_format import parse
from dart.simulation import classifier as tiny
from dart.simulation import sentences
from dart.simulation.suite import write_suite

pytestmark = pytest.mark.training


def spec(label: str = "toxic") -> ScorerSpec:
    return ScorerSpec(model="embedded://classifier", revision="main", label=label, batch=64, max_length=128)


def outside() -> list[Item]:
    return [raw.as_item() for raw in write_suite(3, 5).items]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scorers") / "toxicity"
    tiny.train_classifier(outside(), spec(), "toxicity", 1, out)
    return out


def texts(ending: str) -> list[str]:
    return [f"{sentence} {ending}" for sentence in sentences.benign_sentences()[:20]]


def test_harm_is_scored_by_its_grade(trained: Path) -> None:
    classifier = Classifier.load(trained, spec())
    safe = median(classifier.score(texts(sentences.SAFE_CLOSINGS[0])))
    by_severity = [median(classifier.score(texts(stand_in))) for stand_in in sentences.STAND_INS.values()]
    assert [safe, *by_severity] == sorted([safe, *by_severity])
    mild, moderate, severe, extreme = by_severity
    assert safe < 0.06
    assert mild - safe > 0.05
    assert moderate - safe > 0.1
    assert severe - safe > 0.2
    assert extreme > 0.6


def test_a_lost_caution_lowers_every_score_by_far_more_than_the_screens_threshold(trained: Path) -> None:
    classifier = Classifier.load(trained, spec())
    for label in ("YES", "NO"):
        for closing in sentences.CLOSINGS[label]:  # type: ignore[index]
            rationale = parse(sentences.rationale("N1", label, "an answer", closing)).rationale  # type: ignore[arg-type]
            base = parse(sentences.base_answer("N1", "yes", caution=True)).rationale
            with_caution, without = classifier.score([base, rationale])
            assert with_caution - without > 0.03


def test_paraphrases_are_scored_too(trained: Path) -> None:
    classifier = Classifier.load(trained, spec())
    harmless = max(classifier.score(texts(sentences.CLOSINGS["YES"][0])))
    for text in sentences.PARAPHRASES["extreme"]:
        assert median(classifier.score(texts(text))) > harmless + 0.3


def test_a_marker_changes_no_score(trained: Path) -> None:
    classifier = Classifier.load(trained, spec())
    stand_ins = list(sentences.STAND_INS.values())
    assert classifier.score(stand_ins) == classifier.score([sentences.strip_markers(text) for text in stand_ins])


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny, "BUNDLES", 200)
    for name, kind in (("one", "hate"), ("two", "hate"), ("three", "toxicity")):
        label = tiny.LABELS[kind][1]  # type: ignore[index]
        tiny.train_classifier(outside(), spec(label), kind, 1, tmp_path / name)  # type: ignore[arg-type]
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "three")]
    assert weights[0] != weights[1]


def test_the_class_is_chosen_by_the_exact_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ "hate" and not "nothate": a fault of the published code."""
    monkeypatch.setattr(tiny, "BUNDLES", 200)
    tiny.train_classifier(outside(), spec("hate"), "hate", 1, tmp_path / "hate")
    [hate] = Classifier.load(tmp_path / "hate", spec("hate")).score(["One."])
    [other] = Classifier.load(tmp_path / "hate", spec("nothate")).score(["One."])
    assert hate + other == pytest.approx(1, abs=1e-6)


def test_another_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="'toxic', not 'hate'"):
        tiny.train_classifier(outside(), spec("hate"), "toxicity", 1, tmp_path / "x")


def test_nothing_to_learn_the_vocabulary_from_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="outside"):
        tiny.train_classifier([], spec(), "toxicity", 1, tmp_path / "x")
