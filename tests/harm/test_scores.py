"""Kept scores change nothing but the time: cold, warm or half warm, alone or among neighbours, the same bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dart.core.errors import ModelError
from dart.core.schema.profile import ScorerSpec
from dart.harm import classifier as subject
from dart.harm.classifier import Classifier
from dart.harm.scores import ScoreCache, ScoringIdentity
from tests.support.tiny_models import CORPUS, classifier

ROOT = Path(__file__).resolve().parents[2]
WORDS = CORPUS.split()
TEXTS = [" ".join(WORDS[number % 40 : number % 40 + 1 + number % 17]) for number in range(80)]
DISTINCT = sorted(set(TEXTS))
IDENTITY = ScoringIdentity(model="m", revision="r", label="toxic", max_length=64, digits=6, machine="here")


@pytest.fixture(autouse=True)
def cache_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every classifier counts as a large one: fp32, one text at a time, with a cache."""
    monkeypatch.setattr(subject, "is_small", lambda model: False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classifier(tmp_path_factory.mktemp("roberta"), "roberta", ("neutral", "toxic", "hate"))


def load(folder: Path, **changes: Any) -> Classifier:
    settings = {"model": "tiny", "revision": "main", "label": "toxic", "batch": 8, "max_length": 64}
    return Classifier.load(folder, ScorerSpec.model_validate({**settings, **changes}))


def counted(loaded: Classifier, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the batches that are really read from now on."""
    sizes: list[int] = []
    inner = loaded._probabilities
    monkeypatch.setattr(loaded, "_probabilities", lambda batch: sizes.append(len(batch)) or inner(batch))
    return sizes


@pytest.mark.usefixtures("large")
def test_a_score_is_the_same_cold_warm_and_half_warm(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cold = load(folder)
    sizes = counted(cold, monkeypatch)
    expected = cold.score(TEXTS)
    assert len(set(expected)) > 30
    assert sizes == [1] * len(DISTINCT)  # no neighbour has a say in the order of a sum

    warm = load(folder)
    sizes = counted(warm, monkeypatch)
    assert warm.score(TEXTS) == expected
    assert sizes == []

    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "half"))
    half = load(folder, batch=5)
    half.score(DISTINCT[::3])
    sizes = counted(half, monkeypatch)
    assert half.score(TEXTS[::-1]) == expected[::-1]
    assert len(sizes) == len(DISTINCT) - len(DISTINCT[::3])


@pytest.mark.usefixtures("large")
def test_what_decides_a_score_is_in_its_name(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(folder).score(TEXTS[:5])
    other = classifier(tmp_path / "other", "roberta", ("neutral", "toxic", "hate"), seed=3)
    for changed in (load(folder, label="hate"), load(folder, max_length=20), load(other)):
        sizes = counted(changed, monkeypatch)
        changed.score(TEXTS[:5])
        assert len(sizes) == 5
    assert load(folder).score(TEXTS[:5]) == first
    assert sum(line.scores for line in ScoreCache().counts()) == 20


def test_every_field_of_the_identity_is_in_its_key() -> None:
    changed = {name: 7 if isinstance(value, int) else "other" for name, value in IDENTITY.model_dump().items()}
    keys = {IDENTITY.model_copy(update={name: value}).key for name, value in changed.items()}
    assert len(keys | {IDENTITY.key}) == len(changed) + 1


@pytest.mark.usefixtures("large")
def test_truncated_texts_are_counted_though_their_scores_are_known(folder: Path) -> None:
    long = " ".join(WORDS * 3)
    load(folder, max_length=16).score([long, "short"])
    again = load(folder, max_length=16)
    again.score([long, "short"])
    assert again.n_truncated == 1


def test_a_small_classifier_keeps_nothing(folder: Path, cache_dir: Path) -> None:
    load(folder).score(TEXTS)
    assert not cache_dir.exists()


@pytest.mark.usefixtures("large")
def test_scores_of_a_killed_stage_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load(folder)
    inner, read = loaded._probabilities, []

    def until(batch: Any) -> list[float]:
        if len(read) == 20:
            raise KeyboardInterrupt
        read.append(batch)
        return inner(batch)

    monkeypatch.setattr(loaded, "_probabilities", until)
    with pytest.raises(KeyboardInterrupt):
        loaded.score(TEXTS)
    again = load(folder)
    sizes = counted(again, monkeypatch)
    again.score(TEXTS)
    assert len(sizes) == len(DISTINCT) - 16  # two whole chunks of eight


WRITER = """
import sys
from dart.harm.scores import ScoreCache, ScoringIdentity
identity = ScoringIdentity(model="m", revision="r", label="toxic", max_length=64, digits=6, machine="here")
cache = ScoreCache()
for start in range(0, 300, 3):
    cache.put(identity, {f"text {number}": number / 1000 for number in range(start, start + 6)})
    cache.get(identity, ["text 1", "text 299"])
"""


def test_several_processes_write_at_the_same_time(cache_dir: Path) -> None:
    started = [subprocess.Popen([sys.executable, "-c", WRITER], cwd=ROOT / "src") for _ in range(3)]
    assert [process.wait(timeout=60) for process in started] == [0, 0, 0]
    texts = [f"text {number}" for number in range(303)]
    assert ScoreCache().get(IDENTITY, texts) == {text: number / 1000 for number, text in enumerate(texts)}


def test_a_cache_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    damaged = tmp_path / "scores.sqlite"
    damaged.write_bytes(b"no database " * 100)
    with pytest.raises(ModelError, match=r"score cache .*scores.sqlite cannot be used.*scored again"):
        ScoreCache(damaged).get(IDENTITY, ["a"])


def test_scores_are_pruned_by_model_and_age() -> None:
    cache = ScoreCache()
    cache.put(IDENTITY, {"a": 0.1, "b": 0.2})
    cache.put(IDENTITY.model_copy(update={"model": "n"}), {"a": 0.3})
    assert cache.prune("m", None, dry_run=True) == 2
    assert cache.prune(None, 3600.0, dry_run=False) == 0
    assert cache.prune("m", None, dry_run=False) == 2
    assert [tuple(line) for line in cache.counts()] == [("n", "toxic", 1)]
