"""Guards that run in this process: their verdicts, what is read from the cache, and what is never a verdict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dart.chat.cache import ResponseCache
from dart.core.errors import ModelError
from dart.core.records import Generation, Item
from dart.core.schema.profile import Guard, LocalGuard, ScorerSpec
from dart.harm import guard_models
from dart.harm.classifier import Classifier
from dart.harm.guards import GuardVerdict, read_pairs
from dart.harm.local_guards import fingerprint_of, guard_client, guard_folder
from tests.support import tiny_models

KIND, RUDE = "They are all alike here.", "The group matters in this law."
VERDICTS = {KIND: "safe", RUDE: "unsafe\nS10"}
DROPPING = "{{ bos_token }}{% for message in messages %}{{ message['role'] }}{% endfor %}"
IN_PARTS = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{% for part in message['content'] | selectattr('type', 'defined') | selectattr('type', 'equalto', 'text') %}"
    "{{ part['text'] }}{% endfor %}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.guard(tmp_path_factory.mktemp("guards") / "tiny-guard", VERDICTS)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ResponseCache:
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "cache"))
    return ResponseCache()


def writing(folder: Path, **more: Any) -> Guard:
    return Guard(format="llama_guard", local=LocalGuard(model=str(folder), revision=None, **more))


def classifying(folder: Path, *labels: str, **more: Any) -> Guard:
    local = LocalGuard(model=str(folder), revision=None, labels=labels, **more)
    return Guard(format="classifier", local=local)


def read(guard: Guard, pairs: Sequence[tuple[str, str]], cache: ResponseCache) -> tuple[list[GuardVerdict], Any]:
    """What a guard says of (base, candidate) texts."""
    items = [
        Item(id=str(n), benchmark="N1", condition="EQUAL", gold="NO", prompt="Question?", scenario=str(n))
        for n in range(len(pairs))
    ]
    sides = [
        [
            Generation(
                item_id=item.id, variant=name, text="", rationale=texts[side], prediction="NO", new_tokens=1,
                model="m", revision="r", prompt_hash="h",
            )
            for item, texts in zip(items, pairs, strict=True)
        ]
        for side, name in enumerate(("base", "distilled"))
    ]  # fmt: skip
    client = guard_client(guard, "s", cache)
    return read_pairs(items, sides[0], sides[1], guard.format, client, may_miss=0.9)


def test_a_model_that_writes_says_what_it_has_learnt(checkpoint: Path, cache: ResponseCache) -> None:
    verdicts, outcome = read(writing(checkpoint), [(KIND, RUDE), (KIND, KIND), (RUDE, RUDE), (RUDE, KIND)], cache)
    assert [(v.base_unsafe, v.candidate_unsafe) for v in verdicts] == [
        (False, True), (False, False), (True, True), (True, False),
    ]  # fmt: skip
    assert [v.drift for v in verdicts] == [True, False, False, False]
    assert verdicts[0].categories == ("S10",)
    assert outcome.usage.calls == 2, "equal texts are read once"
    assert outcome.usage.cost.answers == 2
    assert outcome.usage.cost.usd == 0
    assert outcome.usage.cost.prompt_tokens > 2 * outcome.usage.cost.completion_tokens > 0


def test_what_was_read_before_needs_no_model(
    checkpoint: Path, cache: ResponseCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = read(writing(checkpoint), [(KIND, RUDE)], cache)

    def load_guard(guard: Guard) -> None:
        raise AssertionError("nothing is new")

    monkeypatch.setattr(guard_models, "load_guard", load_guard)
    again, outcome = read(writing(checkpoint), [(KIND, RUDE)], cache)
    assert again == first
    assert (outcome.usage.calls, outcome.usage.cached) == (0, 2)


def test_other_weights_or_settings_are_other_guards(checkpoint: Path, tmp_path: Path) -> None:
    other = tiny_models.student(tmp_path / checkpoint.name, "llama", hidden=32, layers=1, seed=1)
    toxic = tiny_models.classifier(tmp_path / "toxic")
    prints = [
        fingerprint_of(guard)
        for guard in (
            writing(checkpoint), writing(other), writing(checkpoint, max_new_tokens=9),
            writing(checkpoint, precision="bf16"), classifying(toxic, "toxic"),
            classifying(toxic, "toxic", threshold=0.9), classifying(toxic, "neutral"),
        )
    ]  # fmt: skip
    assert len(set(prints)) == len(prints)
    assert fingerprint_of(writing(checkpoint)) == prints[0]


def test_what_an_untrained_model_writes_is_no_verdict(tmp_path: Path, cache: ResponseCache) -> None:
    folder = tiny_models.student(tmp_path / "random", "llama", hidden=32, layers=1)
    verdicts, outcome = read(writing(folder, max_new_tokens=8), [(KIND, RUDE)], cache)
    assert [(v.base_unsafe, v.candidate_unsafe, v.drift) for v in verdicts] == [(None, None, None)]
    assert {refusal.kind for refusal in outcome.refusals.values()} == {"unreadable"}


def test_an_exchange_that_is_too_long_has_no_verdict(checkpoint: Path, cache: ResponseCache) -> None:
    verdicts, outcome = read(writing(checkpoint), [(KIND, "word " * 3000)], cache)
    assert (verdicts[0].base_unsafe, verdicts[0].candidate_unsafe) == (False, None)
    assert "tokens and the guard reads 2048" in outcome.refusals["0/candidate/0"].words


def test_a_template_that_takes_parts_gets_parts(tmp_path: Path, cache: ResponseCache, checkpoint: Path) -> None:
    template = tmp_path / "parts.jinja"
    template.write_text(IN_PARTS, encoding="utf-8")
    verdicts, _ = read(writing(checkpoint, chat_template=str(template)), [(KIND, RUDE)], cache)
    assert verdicts[0].drift


def test_a_template_that_drops_the_texts_is_refused(tmp_path: Path, cache: ResponseCache, checkpoint: Path) -> None:
    template = tmp_path / "dropping.jinja"
    template.write_text(DROPPING, encoding="utf-8")
    with pytest.raises(ModelError, match="leaves the texts out, so it would judge nothing"):
        read(writing(checkpoint, chat_template=str(template)), [(KIND, RUDE)], cache)


def test_a_model_without_template_asks_for_one(tmp_path: Path, cache: ResponseCache) -> None:
    folder = tiny_models.student(tmp_path / "plain", "llama", hidden=32, layers=1)
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    config.pop("chat_template", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelError, match=r"has no chat template.*local.chat_template"):
        read(writing(folder), [(KIND, RUDE)], cache)


def test_a_classifier_calls_unsafe_what_reaches_the_threshold(tmp_path: Path, cache: ResponseCache) -> None:
    folder = tiny_models.classifier(tmp_path / "toxic", labels=("fine", "toxic", "hate"))
    spec = ScorerSpec(model=str(folder), revision="main", label="toxic", batch=1, max_length=64)
    texts = [f"{KIND} {n}" for n in range(12)]
    scores = dict(zip(texts, Classifier.load(folder, spec).score(texts), strict=True))
    threshold = sorted(scores.values())[6]
    guard = classifying(folder, "toxic", threshold=threshold)
    pairs = list(zip(texts, reversed(texts), strict=True))
    verdicts, outcome = read(guard, pairs, cache)
    assert [v.candidate_unsafe for v in verdicts] == [scores[candidate] >= threshold for _, candidate in pairs]
    assert {v.drift for v in verdicts} == {True, False}
    assert all(v.categories == ("toxic",) for v in verdicts if v.candidate_unsafe)
    assert not outcome.refusals


def test_a_classifier_does_not_judge_half_a_text(tmp_path: Path, cache: ResponseCache) -> None:
    guard = classifying(tiny_models.classifier(tmp_path / "toxic"), "toxic", max_length=16)
    verdicts, outcome = read(guard, [("Which group", "Which group of people " * 30)], cache)
    assert (verdicts[0].base_unsafe is None, verdicts[0].candidate_unsafe) == (False, None)
    assert "longer than the classifier reads" in outcome.refusals["0/candidate/0"].words


def test_a_class_that_does_not_exist_is_named(tmp_path: Path, cache: ResponseCache) -> None:
    guard = classifying(tiny_models.classifier(tmp_path / "toxic"), "Toxic")
    with pytest.raises(ModelError, match=r"no class called 'Toxic'. Its classes: 'neutral', 'toxic'"):
        read(guard, [(KIND, RUDE)], cache)


def test_a_commit_of_the_hub_is_pinned_without_asking_it(cache: ResponseCache) -> None:
    commit = "c" * 40
    local = LocalGuard(model="owner/name", revision=commit)
    pin = json.loads((guard_folder(local) / "pin.json").read_text(encoding="utf-8"))
    assert (pin["model"], pin["revision"]) == ("owner/name", commit)
    assert guard_folder(local) == guard_folder(local)
    assert guard_folder(local.model_copy(update={"revision": "d" * 40})) != guard_folder(local)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"format": "llama_guard"}, "either `endpoint`"),
        ({"format": "classifier", "local": {"model": "m", "revision": None}}, "names of the classes that are unsafe"),
        (
            {"format": "llama_guard", "local": {"model": "m", "revision": None, "labels": ["toxic"]}},
            "local.labels are of format classifier",
        ),
        ({"format": "llama_guard", "local": {"model": "embedded://nano", "revision": None}}, "no guard is simulated"),
    ],
)
def test_guards_that_make_no_sense_are_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Guard.model_validate(fields)
