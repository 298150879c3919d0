"""Answers of a base and its adapters to the same items under identical decoding (Section 2.4, paired generation).

All variants share one loaded model: the base is the model with its adapters switched off, so nothing but the
adapter differs within a pair.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import DynamicCache

from dart import prompts
from dart.errors import DataError, ModelError
from dart.records import Generation, Item, digest
from dart.settings.recipe import GenerationParams
from dart.settings.world import StudentSpec
from dart.student import adapter, conclusion
from dart.student.ahead import ROWS, Phrases, can_look_ahead, continue_ahead
from dart.student.decode import continue_batch
from dart.student.loading import Student, is_small, load
from dart.student.lowrank import add_in_place, folded
from dart.student.prefix import can_begin_with_a_prefix, decoder_of, prefix_cache, shared_prefix
from dart.student.resume import workspace
from dart.student.sharing import shared
from dart.student.shelf import kept
from dart.student.template import Message

log = logging.getLogger(__name__)


def _asked(item: Item) -> list[Message]:
    return prompts.inference(item.prompt)


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
    student = load(base_dir, spec)
    messages = [list(ask(item)) for item in items]
    encoded = [student.template.prompt_ids(message) for message in messages]
    _check_lengths(student, items, encoded, decoding)
    model = _with_adapters(student, adapters)
    answers: dict[str, list[Generation]] = {}
    for variant, folder in adapters.items():
        revision = student.source.revision + (f"+{adapter.fingerprint(folder)}" if folder else "")
        # A small student answers again sooner than its texts are read.
        identity = None if is_small(student.model) else digest(student.source, revision, spec.model_dump())
        with (
            _active(model, variant if folder else None) as active,
            workspace(identity, "generation") as scratch,
        ):
            shelf = scratch if identity else None
            texts = _answer_all(student, active, encoded, spec.generation_batch, decoding, _names(seed, items), shelf)
        answers[variant] = [
            _record(item, variant, ids, student.tokenizer, spec.name, revision, _hash(message))
            for item, ids, message in zip(items, texts, messages, strict=True)
        ]
        log.info(
            "%s: %d answers, %d unparsed", variant, len(items), sum(r.prediction is None for r in answers[variant])
        )
    return answers


def _names(seed: int, items: Sequence[Item]) -> list[tuple[object, ...]]:
    """What seeds the draws of each item: common random numbers for all variants of a pair."""
    return [(seed, item.id) for item in items]


def _hash(messages: Sequence[Message]) -> str:
    return prompts.prompt_hash(list(messages))


def _record(
    item: Item, variant: str, ids: list[int], tokenizer: Any, model: str, revision: str, prompt_hash: str
) -> Generation:
    text = tokenizer.decode(ids, skip_special_tokens=True)
    parsed = conclusion.parse(text)
    return Generation(
        item_id=item.id,
        variant=variant,
        text=text,
        rationale=parsed.rationale,
        prediction=parsed.prediction,
        new_tokens=len(ids),
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
    newlines = _newline_tokens(student.tokenizer)

    def finished(ids: list[int]) -> bool:
        # Deviates from the paper: stop-at-conclusion - what follows a complete conclusion line has no reader, and
        # stopping each row there (not the batch) keeps a text independent of its neighbours.
        return ids[-1] in newlines and _ends_conclusion(student.tokenizer, ids, newlines)

    order = sorted(range(len(encoded)), key=lambda index: (-len(encoded[index]), tuple(encoded[index])))
    new: list[list[int]] = [[] for _ in encoded]

    known = shared_prefix(encoded) if can_begin_with_a_prefix(model.config) else 0
    prefix = _prefix(student, model, encoded[0][:known]) if known else None
    ahead, phrases = can_look_ahead(model), Phrases()

    def answer(chunk: list[int]) -> list[list[int]]:
        prompts, named = [encoded[index] for index in chunk], [names[index] for index in chunk]

        def work() -> list[list[int]]:
            given = (model, prompts, named, decoding, student.stop_ids, student.pad_id, finished, prefix)
            return continue_ahead(*given, phrases) if ahead else continue_batch(*given)

        return kept(shelf, [prompts, named, decoding.model_dump()], work)

    if ahead:
        batch = min(batch, ROWS)
    chunks = [order[start : start + batch] for start in range(0, len(order), batch)]
    for chunk, tokens in zip(chunks, shared(chunks, answer, on_gpu=student.device.type == "cuda"), strict=True):
        for index, ids in zip(chunk, tokens, strict=True):
            new[index] = ids
    return new


@torch.inference_mode()
def _prefix(student: Student, model: Any, ids: Sequence[int]) -> DynamicCache:
    return prefix_cache(decoder_of(model), torch.tensor([list(ids)], device=student.device))


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
    return any(conclusion.label_of(line) for line in text.split("\n")[:-1])


def _with_adapters(student: Student, adapters: Mapping[str, Path | None]) -> Any:
    """The student with every adapter loaded under the name of its variant."""
    model: Any = student.model
    # In the base's own type, as autocast has it in training; PEFT would keep the adapter of a bf16 base in fp32.
    options: dict[str, Any] = {"torch_device": str(student.device), "autocast_adapter_dtype": False}
    for variant, folder in adapters.items():
        if folder is None:
            continue
        adapter.check_base(student, folder)
        if isinstance(model, PeftModel):
            model.load_adapter(str(folder), adapter_name=variant, **options)
        else:
            model = PeftModel.from_pretrained(model, str(folder), adapter_name=variant, **options)
    add_in_place(model)
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
        with folded(model) if is_small(model) else contextlib.nullcontext():
            yield model


def _check_lengths(
    student: Student, items: Sequence[Item], encoded: Sequence[Sequence[int]], decoding: GenerationParams
) -> None:
    context = getattr(student.model.config, "max_position_embeddings", None)
    if context is None:
        return
    for item, ids in zip(items, encoded, strict=True):
        if len(ids) + decoding.max_new_tokens > context:
            raise ModelError(
                f"{item.id} has {len(ids)} tokens; with generation.max_new_tokens {decoding.max_new_tokens} it exceeds "
                f"the context of {student.source.name} ({context}). Lower max_new_tokens, or use another model."
            )
