"""Generation: one loaded model for a pair, and a text that depends on its prompt and its variant alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dart.core.errors import DataError, ModelError
from dart.core.records import Generation, Item, TrainingRow
from dart.core.schema.method import GenerationParams, Lora, Training
from dart.prompts import classification, explanation_policy
from dart.prompts.messages import prompt_hash
from dart.student import generation
from dart.student.generation import GenerationRequest, VariantRequests, answer, generate
from dart.student.loading import load
from dart.student.sampling import choose_tokens
from dart.student.train import train_adapter
from tests.support.tiny_models import FAMILIES, spec, student

GREEDY = GenerationParams(max_new_tokens=24, temperature=0.0, top_p=1.0)
SAMPLED = GenerationParams(max_new_tokens=24, temperature=1.0, top_p=0.9)


@pytest.fixture(scope="module")
def adapters(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Path | None]:  # fmt: skip
    """Two adapters that have learnt the answers by heart, so that texts end and some have a conclusion."""
    folder = tmp_path_factory.mktemp("adapters")
    for number, name in enumerate(("distilled", "repaired")):
        part = rows[number::2]
        train_adapter(base, spec(learning_rate=0.03), part, lora, training, number, folder / name, steps=60)
    return {"base": None, "distilled": folder / "distilled", "repaired": folder / "repaired"}


def texts(records: list[Generation]) -> dict[str, str]:
    return {record.item_id: record.text for record in records}


@pytest.mark.training
@pytest.mark.parametrize("decoding", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
def test_a_text_depends_neither_on_the_batch_nor_on_the_order(
    base: Path, adapters: dict[str, Path | None], items: list[Item], decoding: GenerationParams
) -> None:
    expected = generate(base, spec(generation_batch=1), adapters, items, decoding, 1)
    together = generate(base, spec(generation_batch=8), adapters, items[::-1], decoding, 1)
    for variant in adapters:
        assert texts(together[variant]) == texts(expected[variant])
        assert [record.item_id for record in together[variant]] == [item.id for item in items[::-1]]


def test_variants_of_one_loaded_model_are_those_of_models_loaded_alone(
    base: Path, adapters: dict[str, Path | None], items: list[Item]
) -> None:
    together = generate(base, spec(), adapters, items, GREEDY, 1)
    for variant, folder in adapters.items():
        assert generate(base, spec(), {variant: folder}, items, GREEDY, 1)[variant] == together[variant]
    seen = [tuple(texts(together[variant]).values()) for variant in adapters]
    assert len(set(seen)) == 3  # and they differ: no adapter stands in for another


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_greedy_decoding_is_that_of_transformers(family: str, bases: dict[str, Path], items: list[Item]) -> None:
    answers = generate(bases[family], spec(), {"base": None}, items[:4], GREEDY, 1)["base"]
    loaded = load(bases[family], spec())
    for item, record in zip(items[:4], answers, strict=True):
        ids = torch.tensor([loaded.template.prompt_ids(classification.inference(item.prompt))])
        new = loaded.model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False,
            eos_token_id=list(loaded.stop_ids), pad_token_id=loaded.pad_id,
        )[0, ids.shape[1] :].tolist()  # fmt: skip
        if new[-1] in loaded.stop_ids:
            new.pop()
        assert loaded.tokenizer.decode(new, skip_special_tokens=True) == record.text
        assert record.new_tokens == len(new)


def test_a_record_says_who_wrote_it_and_what_was_asked(
    base: Path, adapters: dict[str, Path | None], items: list[Item]
) -> None:
    answers = generate(base, spec(), adapters, items, GREEDY, 1)
    record = answers["distilled"][3]
    revision = load(base, spec()).source.revision
    assert (record.item_id, record.variant, record.model) == (items[3].id, "distilled", "tiny")
    assert answers["base"][3].revision == revision
    assert record.revision.startswith(f"{revision}+")
    assert record.prompt_hash == prompt_hash(classification.inference(items[3].prompt))
    assert record.toxicity is None
    decided = [answer for answer in answers["distilled"] if answer.prediction]
    assert decided, "the adapters should have learnt to conclude"
    assert all("conclusion:" not in answer.rationale.lower() for answer in decided)


def test_another_way_to_ask_reaches_the_model(base: Path, items: list[Item]) -> None:
    plain = generate(base, spec(), {"base": None}, items[:2], GREEDY, 1)["base"]
    other = generate(
        base, spec(), {"base": None}, items[:2], GREEDY, 1, ask=lambda item: [{"role": "user", "content": item.prompt}]
    )["base"]
    assert other[0].prompt_hash != plain[0].prompt_hash


@pytest.mark.parametrize("decoding", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
def test_questions_of_several_instructions_come_back_in_order_and_as_if_asked_alone(
    base: Path, adapters: dict[str, Path | None], items: list[Item], decoding: GenerationParams
) -> None:
    ways = {
        label: (lambda item, label=label: explanation_policy.policy(item.prompt, label))
        for label in ("YES", "NO", None)
    }
    mixed = [GenerationRequest(item, ways[label](item)) for item in items for label in ways]
    requests = {"base": VariantRequests(None, mixed[:5]), "repaired": VariantRequests(adapters["repaired"], mixed)}
    together = answer(base, spec(), requests, decoding, 1)
    hashes = [prompt_hash(list(question.messages)) for question in mixed]
    assert [record.prompt_hash for record in together["repaired"]] == hashes
    assert [record.prompt_hash for record in together["base"]] == hashes[:5]
    for start, label in enumerate(ways):
        alone = generate(base, spec(), {"repaired": adapters["repaired"]}, items, decoding, 1, ask=ways[label])
        assert together["repaired"][start::3] == alone["repaired"]


def test_a_variant_without_questions_has_no_answers(base: Path) -> None:
    assert answer(base, spec(), {"base": VariantRequests(None, [])}, GREEDY, 1) == {"base": []}


def test_sampling_follows_the_seed_and_the_item(base: Path, items: list[Item]) -> None:
    def sample(seed: int) -> dict[str, str]:
        return texts(generate(base, spec(), {"base": None}, items, SAMPLED, seed)["base"])

    assert sample(1) == sample(1)
    assert sample(1) != sample(2)


def test_draws_have_the_distribution_of_the_nucleus() -> None:
    probabilities = torch.tensor([0.5, 0.3, 0.15, 0.05])
    decoding = GenerationParams(max_new_tokens=1, temperature=1.0, top_p=0.75)
    names = [(number,) for number in range(4000)]
    tokens = choose_tokens(probabilities.log().expand(4000, -1), names, decoding)
    shares = torch.bincount(tokens, minlength=4) / 4000
    assert shares[2:].sum() == 0  # 0.5 + 0.3 reach 0.75
    assert shares[0].item() == pytest.approx(0.625, abs=0.03)


def test_a_low_temperature_sharpens() -> None:
    logits = torch.tensor([[1.0, 0.0]]).expand(2000, -1)
    names = [(number,) for number in range(2000)]
    hot, cold = (
        choose_tokens(logits, names, GenerationParams(max_new_tokens=1, temperature=t, top_p=1.0)).float().mean()
        for t in (1.0, 0.2)
    )
    assert hot.item() == pytest.approx(1 / (1 + torch.e), abs=0.03)
    assert cold.item() == pytest.approx(0.0067, abs=0.01)


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("A.\nConclusion: YES\n", True),
        ("A.\nConclusion: YES", False),
        ("A.\nConclusion: YES or Conclusion: NO\n", False),
    ],
)
def test_a_text_is_complete_with_an_ended_conclusion_line(base: Path, text: str, complete: bool) -> None:
    words = load(base, spec()).tokenizer
    newlines = generation._newline_tokens(words)
    ids = words(text, add_special_tokens=False).input_ids
    assert (ids[-1] in newlines and generation._ends_conclusion(words, ids, newlines)) is complete


def test_adapters_compute_in_the_type_of_their_base(
    base: Path, adapters: dict[str, Path | None], items: list[Item]
) -> None:
    half = load(base, spec(precision="bf16"))
    model = generation.load_adapters(half, adapters)
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}


def test_an_adapter_of_another_base_is_refused_naming_both(
    adapters: dict[str, Path | None], base: Path, items: list[Item], tmp_path: Path
) -> None:
    other = student(tmp_path / "other", "llama", seed=7)
    here, there = (load(folder, spec()).source.revision for folder in (base, other))
    with pytest.raises(ModelError, match=rf"{here}.*{there}"):
        generate(other, spec(), adapters, items, GREEDY, 1)


def test_a_prompt_that_leaves_no_room_is_named(base: Path, items: list[Item]) -> None:
    decoding = GREEDY.model_copy(update={"max_new_tokens": 2040})
    with pytest.raises(ModelError, match=r"D1-DIFF-0 has \d+ tokens"):
        generate(base, spec(), {"base": None}, items, decoding, 1)


def test_nothing_to_answer_is_an_error(base: Path) -> None:
    with pytest.raises(DataError, match="items is empty"):
        generate(base, spec(), {"base": None}, [], GREEDY, 1)
