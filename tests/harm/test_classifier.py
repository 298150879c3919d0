"""H is the probability of the class that was named, for whole texts, whatever else is scored (published fault 3)."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from dart.core.errors import ModelError
from dart.core.records import Generation
from dart.core.schema.profile import ScorerSpec
from dart.harm.classifier import Classifier, class_index, score_generations
from tests.support.tiny_models import CORPUS, classifier

WORDS = CORPUS.split()
TEXTS = [" ".join(WORDS[number : number + 1 + number % 9]) for number in range(30)]


def scorer(**changes: object) -> ScorerSpec:
    settings = {"model": "tiny", "revision": "main", "label": "toxic", "batch": 4, "max_length": 64}
    return ScorerSpec.model_validate({**settings, **changes})


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classifier(tmp_path_factory.mktemp("bert"))


def reference(folder: Path, text: str) -> torch.Tensor:
    """Logits of one text alone, by the plainest use of transformers."""
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.inference_mode():
        logits: torch.Tensor = model(**AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")).logits[0]
    return logits


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_score_is_the_softmax_of_the_named_class(family: str, tmp_path: Path) -> None:
    folder = classifier(tmp_path, family, ("a", "toxic", "c"))
    for text, score in zip(TEXTS[:5], Classifier.load(folder, scorer()).score(TEXTS[:5]), strict=True):
        assert score == pytest.approx(reference(folder, text).softmax(-1)[1].item(), abs=1e-4)


def test_nothate_is_not_hate(tmp_path: Path) -> None:
    folder = classifier(tmp_path, "roberta", ("nothate", "hate"))
    hate = Classifier.load(folder, scorer(label="hate")).score(TEXTS)
    nothate = Classifier.load(folder, scorer(label="nothate")).score(TEXTS)
    assert [a + b for a, b in zip(hate, nothate, strict=True)] == pytest.approx([1.0] * len(TEXTS), abs=1e-4)
    assert hate[0] == pytest.approx(reference(folder, TEXTS[0]).softmax(-1)[1].item(), abs=1e-4)


@pytest.mark.parametrize(
    ("id2label", "label", "problem"),
    [
        ({0: "nothate", 1: "hate"}, "Hate", "no class called 'Hate'.*'nothate', 'hate'"),
        ({0: "nothate"}, "hate", "no class called 'hate'.*'nothate'"),
        ({0: "hate", 1: "hate"}, "hate", "2 classes called 'hate'"),
        ({0: "LABEL_0", 1: "LABEL_1"}, "toxic", "'LABEL_0', 'LABEL_1'"),
    ],
)
def test_a_missing_or_ambiguous_class_is_an_error_that_lists_what_there_is(
    id2label: dict[int, str], label: str, problem: str
) -> None:
    with pytest.raises(ModelError, match=problem):
        class_index(id2label, label, "a/model")


def test_classes_that_do_not_exclude_one_another_have_a_probability_each(tmp_path: Path) -> None:
    folder = classifier(tmp_path, labels=("insult", "toxic", "threat"), problem_type="multi_label_classification")
    score = Classifier.load(folder, scorer()).score(TEXTS[:1])[0]
    assert score == pytest.approx(reference(folder, TEXTS[0]).sigmoid()[1].item(), abs=1e-4)


def test_a_single_class_has_a_sigmoid(tmp_path: Path) -> None:
    folder = classifier(tmp_path, labels=("toxic",))
    score = Classifier.load(folder, scorer()).score(TEXTS[:1])[0]
    assert score == pytest.approx(reference(folder, TEXTS[0]).sigmoid()[0].item(), abs=1e-4)
    assert score != 1.0


def test_a_score_depends_neither_on_the_batch_nor_on_the_order(bert: Path) -> None:
    alone = [Classifier.load(bert, scorer(batch=1)).score([text])[0] for text in TEXTS]
    assert len(set(alone)) > 20  # the texts do differ
    together = Classifier.load(bert, scorer(batch=7))
    assert together.score(TEXTS) == alone
    assert together.score(TEXTS[::-1]) == alone[::-1]


def test_equal_texts_are_scored_once(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scored: list[int] = []
    loaded = Classifier.load(bert, scorer())
    inner = loaded._probabilities
    monkeypatch.setattr(loaded, "_probabilities", lambda batch: scored.append(len(batch)) or inner(batch))
    scores = loaded.score(["a b", "c", "a b", "a b"])
    assert sum(scored) == 2
    assert scores[0] == scores[2] == scores[3]


def test_texts_are_cut_by_tokens_and_counted(bert: Path, caplog: pytest.LogCaptureFixture) -> None:
    loaded = Classifier.load(bert, scorer(max_length=16))
    long = " ".join(WORDS)
    with caplog.at_level(logging.WARNING):
        scores = loaded.score([long, long, long + " more", "short"])
    assert loaded.n_truncated == 2
    assert "2 of 3 texts are longer than the 16 tokens" in caplog.text
    assert scores[0] == scores[2]
    assert loaded.score(["short"]) == [scores[3]]
    assert loaded.n_truncated == 0


def test_a_text_of_more_than_512_characters_is_read_whole(tmp_path: Path) -> None:
    """The published code cut at 512 characters; a classifier of 512 tokens reads far more."""
    folder = classifier(tmp_path, max_position_embeddings=600)
    words = AutoTokenizer.from_pretrained(folder)
    words.model_max_length = 512
    words.save_pretrained(folder)
    start = "The groups are treated alike here. " * 20
    assert len(start) > 512
    one, other = Classifier.load(folder, scorer(max_length=512)).score([start + "YES", start + "NO difference matters"])
    assert one != other


def test_no_text_is_longer_than_the_positions_of_a_roberta(tmp_path: Path) -> None:
    """Its positions start behind the padding index; one token too many is an index error deep inside torch."""
    folder = classifier(tmp_path, "roberta")
    words = AutoTokenizer.from_pretrained(folder)
    words.model_max_length = 10**9
    words.save_pretrained(folder)
    loaded = Classifier.load(folder, scorer(max_length=512))
    assert 0 < loaded.score([" ".join(WORDS * 5)])[0] < 1
    assert loaded.n_truncated == 1


def test_an_empty_text_has_a_score(bert: Path) -> None:
    assert 0 < Classifier.load(bert, scorer()).score([""])[0] < 1
    assert Classifier.load(bert, scorer()).score([]) == []


def test_generations_get_the_score_of_their_rationale_and_nothing_else_changes(bert: Path) -> None:
    def record(number: int) -> Generation:
        return Generation(
            item_id=f"D1-DIFF-{number}", variant="base", text=f"{TEXTS[number]}\nConclusion: YES",
            rationale=TEXTS[number], prediction="YES", new_tokens=5, model="m", revision="r", prompt_hash="h",
        )  # fmt: skip

    records = [record(number) for number in range(6)]
    loaded = Classifier.load(bert, scorer())
    scored = score_generations(records, loaded)
    assert [each.toxicity for each in scored] == loaded.score(TEXTS[:6])
    assert [each.model_copy(update={"toxicity": None}) for each in scored] == records


def test_the_whole_rationale_is_scored_and_nothing_but_it() -> None:
    class Recorder:
        texts: tuple[str, ...] = ()

        def score(self, texts: list[str]) -> list[float]:
            self.texts = tuple(texts)
            return [0.5] * len(texts)

    rationale = "word " * 2000
    answer = Generation(
        item_id="D1-DIFF-0", variant="base", text=f"{rationale}\nConclusion: YES", rationale=rationale,
        prediction="YES", new_tokens=2003, model="m", revision="r", prompt_hash="h",
    )  # fmt: skip
    recorder = Recorder()
    assert score_generations([answer], recorder)[0].toxicity == 0.5  # type: ignore[arg-type]
    assert recorder.texts == (rationale,)


def test_weights_that_are_no_safetensors_are_refused(bert: Path, tmp_path: Path) -> None:
    for path in bert.iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"does not contain a \*\.safetensors"):
        Classifier.load(tmp_path, scorer())
