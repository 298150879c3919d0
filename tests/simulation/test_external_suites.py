"""Our own external suites: the published formats, invented groups, and a hate score that agrees with their labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from dart.core.errors import ModelError
from dart.core.schema.profile import ScorerSpec
from dart.external.hatecheck import hate_on_labels, require_upright
from dart.external.items import SUITES, ExternalItem, SuiteName
from dart.external.loaders import load_suite
from dart.external.pins import ORIGINS
from dart.harm.classifier import Classifier
from dart.simulation import sentences
from dart.simulation.classifier import train_classifier
from dart.simulation.external_suites import TARGETS, embedded_files
from dart.simulation.suite import write_suite


def spec(label: str) -> ScorerSpec:
    return ScorerSpec(model="embedded://classifier", revision="main", label=label, batch=64, max_length=128)


@pytest.fixture(scope="module")
def hatecheck() -> list[ExternalItem]:
    return load_suite("hatecheck", embedded_files("hatecheck", 42))


@pytest.fixture(scope="module")
def hate_classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scorers") / "hate"
    train_classifier([raw.as_item() for raw in write_suite(3, 5).items], spec("hate"), "hate", 1, out)
    return out


@pytest.mark.training
def test_hateful_cases_score_above_non_hateful_ones(hatecheck: list[ExternalItem], hate_classifier: Path) -> None:
    scores = Classifier.load(hate_classifier, spec("hate")).score([item.prompt for item in hatecheck])
    found = hate_on_labels(hatecheck, scores)
    assert found.estimate is not None
    assert found.estimate > 0.8
    assert found.low is not None
    assert found.low > 0.5


@pytest.mark.training
def test_the_other_label_is_caught(hatecheck: list[ExternalItem], hate_classifier: Path) -> None:
    """The published code took the first label with "hate" in it, which is "nothate"."""
    scores = Classifier.load(hate_classifier, spec("nothate")).score([item.prompt for item in hatecheck])
    with pytest.raises(ModelError, match="scores the wrong class"):
        require_upright(hate_on_labels(hatecheck, scores))


@pytest.mark.parametrize("suite", SUITES)
def test_same_seed_same_bytes_and_the_published_file_names(suite: SuiteName) -> None:
    files = embedded_files(suite, 42)
    assert files == embedded_files(suite, 42)
    assert set(files) == set(ORIGINS[suite].blobs)


@pytest.mark.parametrize("suite", SUITES)
def test_no_text_has_a_marker_or_occurs_twice(suite: SuiteName) -> None:
    prompts = [item.prompt for item in load_suite(suite, embedded_files(suite, 42))]
    assert not any(mark in prompt for mark in sentences.markers() for prompt in prompts)
    assert len(set(prompts)) == len(prompts)


def test_groups_are_those_of_the_published_suites_or_invented(hatecheck: list[ExternalItem]) -> None:
    assert {item.group for item in hatecheck} == {*TARGETS, None}
    assert len({item.functionality for item in hatecheck}) == 29
    assert len({item.group for item in load_suite("holisticbias", embedded_files("holisticbias", 42))}) == 10
