"""Answers of a base and its adapters to the same items under identical decoding (Section 2.4, paired generation).

All variants share one loaded model: the base is the model with its adapters switched off, so nothing but the
adapter differs within a pair.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import PeftModel
from transformers import DynamicCache

from dart.core.devices import is_small
from dart.core.distributed import shard_map
from dart.core.errors import DataError, ModelError
from dart.core.hub import Source
from dart.core.portable import portable_arithmetic
from dart.core.records import Generation, Item
from dart.core.schema.method import GenerationParams
from dart.core.schema.profile import StudentSpec
from dart.core.seeds import digest
from dart.prompts import answer_format, classification
from dart.prompts.messages import prompt_hash
from dart.student import adapter
from dart.student.checkpoints import cached_batch, checkpoint_folder
from dart.student.decode import Finished, continue_batch
from dart.student.loading import Reader, Student, load, load_reader
from dart.student.lora_layers import merged_adapter, patch_lora_layers
from dart.student.prefix import can_begin_with_a_prefix, decoder_of, prefix_cache, shared_prefix
from dart.student.remote_generation import ask_server
from dart.student.speculative import MAX_ROWS, NGramDrafter, speculative_decode, supports_speculative_decoding
from dart.student.template import Message

log = logging.getLogger(__name__)


class Question(NamedTuple):
    """What is asked about an item: the messages that the student sees."""

    item: Item
    messages: Sequence[Message]


class AdapterQuestions(NamedTuple):
    """A variant and its questions; an adapter folder of None is the base itself. An item may be asked about twice."""

    adapter: Path | None
    questions: Sequence[Question]


def _asked(item: Item) -> list[Message]:
    return classification.inference(item.prompt)


def generate(
    base_dir: Path,
    spec: StudentSpec,
    adapters: Mapping[str, Path | None],
    items: Sequence[Item],
    decoding: GenerationParams,
    seed: int,
    ask: Callable[[Item], Sequence[Message]] = _asked,
) -> dict[str, list[Generation]]:
    """Let every variant answer every item; records in the order of `items`.

    Args:
        adapters: variant name -> adapter folder; None is the base itself.
        ask: the messages of an item; the inference prompt (Appendix E.3) unless a policy is given (Section 2.6).

    Raises:
        ModelError: an adapter of another base, or a prompt that leaves no room for an answer.
    """
    if not items:
        raise DataError("There is nothing to generate: no item was given.")
    questions = [Question(item, list(ask(item))) for item in items]
    asked = {variant: AdapterQuestions(folder, questions) for variant, folder in adapters.items()}
    return answer(base_dir, spec, asked, decoding, seed)


def answer(
    base_dir: Path, spec: StudentSpec, asked: Mapping[str, AdapterQuestions], decoding: GenerationParams, seed: int
) -> dict[str, list[Generation]]:
    """Let every variant answer its own questions with one loaded model; records in the order of the questions.

    Questions with the same instruction (all but the last message) are answered together: what their prompts begin
    with then runs through the model once.

    Raises:
        ModelError: an adapter of another base, or a prompt that leaves no room for an answer.
    """
    if spec.engine == "openai":
        return _answer_served(base_dir, spec, asked, decoding, seed)
    student = load(base_dir, spec)
    encoded = _encoded(student, student.model.config, asked, decoding)
    model = _with_adapters(student, {variant: folder for variant, (folder, _) in asked.items()})
    answers: dict[str, list[Generation]] = {}
    for variant, (folder, questions) in asked.items():
        revision = _revision(student.source, folder)
        # A small student answers again sooner than its texts are read.
        identity = None if is_small(student.model) else digest(student.source, revision, spec.model_dump())
        with (
            portable_arithmetic(student.model),
            _active(model, variant if folder else None) as active,
            checkpoint_folder(identity, "generation") as scratch,
        ):
            shelf = scratch if identity else None
            found: dict[int, Generation] = {}
            for places in _by_instruction(questions):
                part = [questions[place] for place in places]
                hashes = [_hash(question.messages) for question in part]
                texts = _answer_all(
                    student, active, [encoded[name] for name in hashes], spec.generation_batch, decoding,
                    _names(seed, [question.item for question in part]), shelf,
                )  # fmt: skip
                for place, question, ids, name in zip(places, part, texts, hashes, strict=True):
                    text = _text(student.tokenizer, ids)
                    found[place] = _record(question.item, variant, text, len(ids), spec.name, revision, name)
        answers[variant] = [found[place] for place in range(len(questions))]
        _report(variant, answers[variant])
    return answers


def _answer_served(
    base_dir: Path, spec: StudentSpec, asked: Mapping[str, AdapterQuestions], decoding: GenerationParams, seed: int
) -> dict[str, list[Generation]]:
    """As `answer`, with the sums done by the server of `spec`."""
    reader = load_reader(base_dir)
    encoded = _encoded(reader, reader.config, asked, decoding)
    for folder, _ in asked.values():
        if folder is not None:
            adapter.check_base(reader.source, folder)
    answers: dict[str, list[Generation]] = {}
    for variants in _asked_alike(asked):  # together, so that a server that lacks an adapter is asked nothing
        adapters = {variant: asked[variant].adapter for variant in variants}
        revisions = {variant: _revision(reader.source, folder) for variant, folder in adapters.items()}
        items, messages = zip(*asked[variants[0]].questions, strict=True)
        hashes = [_hash(message) for message in messages]
        written = ask_server(
            reader, spec, adapters, revisions, items, messages, [encoded[name] for name in hashes], decoding, seed,
            finished_by_conclusion(reader.tokenizer),
        )  # fmt: skip
        for variant in variants:
            answers[variant] = [
                _record(item, variant, text.text, len(text.ids), spec.name, revisions[variant], name)
                for item, text, name in zip(items, written[variant], hashes, strict=True)
            ]
            _report(variant, answers[variant])
    return {variant: answers[variant] for variant in asked}


def _asked_alike(asked: Mapping[str, AdapterQuestions]) -> list[list[str]]:
    """Variants whose questions are the same, together."""
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for variant, (_, questions) in asked.items():
        same = tuple((question.item.id, _hash(question.messages)) for question in questions)
        groups.setdefault(same, []).append(variant)
    return list(groups.values())


def _revision(source: Source, folder: Path | None) -> str:
    return source.revision + (f"+{adapter.fingerprint(folder)}" if folder else "")


def _report(variant: str, records: Sequence[Generation]) -> None:
    log.info("%s: %d answers, %d unparsed", variant, len(records), sum(r.prediction is None for r in records))


def _encoded(
    student: Student | Reader, config: Any, asked: Mapping[str, AdapterQuestions], decoding: GenerationParams
) -> dict[str, list[int]]:
    """Token ids of every prompt by its hash: variants that are asked the same share them."""
    found: dict[str, list[int]] = {}
    for question in (question for _, questions in asked.values() for question in questions):
        name = _hash(question.messages)
        if name not in found:
            found[name] = student.template.prompt_ids(list(question.messages))
            _check_length(student.source, config, question.item, found[name], decoding)
    return found


def _by_instruction(questions: Sequence[Question]) -> list[list[int]]:
    """Places of the questions that have everything in front of the last message in common."""
    places: dict[str, list[int]] = {}
    for place, question in enumerate(questions):
        places.setdefault(_hash(question.messages[:-1]), []).append(place)
    return list(places.values())


def _names(seed: int, items: Sequence[Item]) -> list[tuple[object, ...]]:
    """What seeds the draws of each item: common random numbers for all variants of a pair."""
    return [(seed, item.id) for item in items]


def _hash(messages: Sequence[Message]) -> str:
    return prompt_hash(list(messages))


def _text(tokenizer: Any, ids: list[int]) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=True))


def _record(
    item: Item, variant: str, text: str, new_tokens: int, model: str, revision: str, prompt_hash: str
) -> Generation:
    parsed = answer_format.parse(text)
    return Generation(
        item_id=item.id,
        variant=variant,
        text=text,
        rationale=parsed.rationale,
        prediction=parsed.prediction,
        new_tokens=new_tokens,
        model=model,
        revision=revision,
        prompt_hash=prompt_hash,
    )


def _answer_all(
    student: Student,
    model: Any,
    encoded: Sequence[Sequence[int]],
    batch: int,
    decoding: GenerationParams,
    names: Sequence[tuple[object, ...]],
    shelf: Path | None,
) -> list[list[int]]:
    """New tokens of each prompt, computed in batches of similar length, returned in the given order."""
    finished = finished_by_conclusion(student.tokenizer)
    order = sorted(range(len(encoded)), key=lambda index: (-len(encoded[index]), tuple(encoded[index])))
    new: list[list[int]] = [[] for _ in encoded]

    known = shared_prefix(encoded) if can_begin_with_a_prefix(model.config) else 0
    prefix = _prefix(student, model, encoded[0][:known]) if known else None
    ahead, phrases = supports_speculative_decoding(model), NGramDrafter()

    def answer(chunk: list[int]) -> list[list[int]]:
        prompts, named = [encoded[index] for index in chunk], [names[index] for index in chunk]

        def work() -> list[list[int]]:
            given = (model, prompts, named, decoding, student.stop_ids, student.pad_id, finished, prefix)
            return speculative_decode(*given, phrases) if ahead else continue_batch(*given)

        return cached_batch(shelf, [prompts, named, decoding.model_dump()], work)

    if ahead:
        batch = min(batch, MAX_ROWS)
    chunks = [order[start : start + batch] for start in range(0, len(order), batch)]
    for chunk, tokens in zip(chunks, shard_map(chunks, answer, on_gpu=student.device.type == "cuda"), strict=True):
        for index, ids in zip(chunk, tokens, strict=True):
            new[index] = ids
    return new


@torch.inference_mode()
def _prefix(student: Student, model: Any, ids: Sequence[int]) -> DynamicCache:
    return prefix_cache(decoder_of(model), torch.tensor([list(ids)], device=student.device))


def finished_by_conclusion(tokenizer: Any) -> Finished:
    """The rule that ends an answer besides its stop token: the last of its tokens (one at least) ends a conclusion."""
    newlines = _newline_tokens(tokenizer)

    def finished(ids: list[int]) -> bool:
        # Deviates from the paper: stop-at-conclusion - what follows a complete conclusion line has no reader, and
        # stopping each row there (not the batch) keeps a text independent of its neighbours.
        return ids[-1] in newlines and _ends_conclusion(tokenizer, ids, newlines)

    return finished


def _newline_tokens(tokenizer: Any) -> frozenset[int]:
    """Tokens whose text ends a line: only after one of them can a conclusion line have become complete."""
    texts = tokenizer.batch_decode([[index] for index in range(len(tokenizer))])
    return frozenset(index for index, text in enumerate(texts) if "\n" in text)


def _ends_conclusion(tokenizer: Any, ids: list[int], newlines: frozenset[int]) -> bool:
    """Whether the line that the last token ends is a conclusion; only that line is decoded."""
    start = len(ids) - 1
    while start > 0 and ids[start - 1] not in newlines:
        start -= 1
    text = tokenizer.decode(ids[max(start - 1, 0) :], skip_special_tokens=True)
    return any(answer_format.label_of(line) for line in text.split("\n")[:-1])


def _with_adapters(student: Student, adapters: Mapping[str, Path | None]) -> Any:
    """The student with every adapter loaded under the name of its variant."""
    model: Any = student.model
    # In the base's own type, as autocast has it in training; PEFT would keep the adapter of a bf16 base in fp32.
    options: dict[str, Any] = {"torch_device": str(student.device), "autocast_adapter_dtype": False}
    for variant, folder in adapters.items():
        if folder is None:
            continue
        adapter.check_base(student.source, folder)
        if isinstance(model, PeftModel):
            model.load_adapter(str(folder), adapter_name=variant, **options)
        else:
            model = PeftModel.from_pretrained(model, str(folder), adapter_name=variant, **options)
    patch_lora_layers(model)
    return model.eval()


@contextlib.contextmanager
def _active(model: Any, variant: str | None) -> Iterator[Any]:
    """The model as one variant: that adapter alone, or none."""
    if not isinstance(model, PeftModel):
        yield model
    elif variant is None:
        with model.disable_adapter():
            yield model
    else:
        model.set_adapter(variant)
        with merged_adapter(model) if is_small(model) else contextlib.nullcontext():
            yield model


def _check_length(source: Source, config: Any, item: Item, ids: Sequence[int], decoding: GenerationParams) -> None:
    context = getattr(config, "max_position_embeddings", None)
    if context is not None and len(ids) + decoding.max_new_tokens > context:
        raise ModelError(
            f"{item.id} has {len(ids)} tokens; with generation.max_new_tokens {decoding.max_new_tokens} it exceeds "
            f"the context of {source.name} ({context}). Lower max_new_tokens, or use another model."
        )
