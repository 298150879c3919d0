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
from dart.core.hub import Source, resolve
from dart.core.portable import portable_arithmetic
from dart.core.records import Generation, Item
from dart.core.schema.method import GenerationParams
from dart.core.schema.profile import StudentSpec
from dart.core.seeds import digest
from dart.prompts import answer_format, classification
from dart.prompts.messages import prompt_hash
from dart.student import adapter
from dart.student.checkpoints import cached_batch, checkpoint_folder
from dart.student.decode import DecodingPlan, StoppingCriterion, decode_batch
from dart.student.loading import Processor, Student, load, load_processor
from dart.student.lora_layers import merged_adapter, patch_lora_layers
from dart.student.prefix import common_prefix_length, decoder_of, prefix_cache, supports_shared_prefix
from dart.student.remote_generation import RemoteBatch, generate_remotely
from dart.student.sampling import DrawKey
from dart.student.speculative import MAX_ROWS, NGramDrafter, speculative_decode, supports_speculative_decoding
from dart.student.template import Message

log = logging.getLogger(__name__)


class GenerationRequest(NamedTuple):
    """A question about an item: the messages that the student sees."""

    item: Item
    messages: Sequence[Message]


class VariantRequests(NamedTuple):
    """What one variant is asked; an item may occur more than once."""

    adapter: Path | None  # None is the base itself
    requests: Sequence[GenerationRequest]


def inference_messages(item: Item) -> list[Message]:
    """The inference prompt of an item (Appendix E.3)."""
    return classification.inference(item.prompt)


def generate(
    base_dir: Path,
    spec: StudentSpec,
    adapters: Mapping[str, Path | None],
    items: Sequence[Item],
    decoding: GenerationParams,
    seed: int,
    ask: Callable[[Item], Sequence[Message]] = inference_messages,
) -> dict[str, list[Generation]]:
    """Let every variant answer every item; records in the order of `items`.

    Args:
        adapters: variant name -> adapter folder; None is the base itself.
        ask: the messages of an item; an explanation policy asks otherwise than E.3 (Section 2.6).

    Raises:
        DataError: `items` is empty.
        ModelError: an adapter of another base, or a prompt that leaves no room for an answer.
    """
    if not items:
        raise DataError("Cannot generate answers: the list of items is empty.")
    requests = [GenerationRequest(item, list(ask(item))) for item in items]
    by_variant = {variant: VariantRequests(folder, requests) for variant, folder in adapters.items()}
    return answer(base_dir, spec, by_variant, decoding, seed)


def answer(
    base_dir: Path, spec: StudentSpec, requests: Mapping[str, VariantRequests], decoding: GenerationParams, seed: int
) -> dict[str, list[Generation]]:
    """Let every variant answer its own requests with one loaded model; records in the order of the requests.

    Requests with the same instruction (all but the last message) are answered together: what their prompts begin
    with then runs through the model once.

    Raises:
        ModelError: an adapter of another base, or a prompt that leaves no room for an answer.
    """
    return dict(answer_each(base_dir, spec, requests, decoding, seed))


def answer_each(
    base_dir: Path, spec: StudentSpec, requests: Mapping[str, VariantRequests], decoding: GenerationParams, seed: int
) -> Iterator[tuple[str, list[Generation]]]:
    """As `answer`, each variant as soon as it has answered."""
    if spec.engine == "openai":
        yield from _answer_remotely(base_dir, spec, requests, decoding, seed).items()
        return
    for own_base, group in _group_by_base(base_dir, requests).items():
        yield from _answer_on(own_base, spec, group, decoding, seed)


def _group_by_base(base_dir: Path, requests: Mapping[str, VariantRequests]) -> dict[Path, dict[str, VariantRequests]]:
    """Variants by the folder of their base: the slot's, and that of a checkpoint which was tuned elsewhere."""
    folders: dict[object, Path] = {}
    groups: dict[Path, dict[str, VariantRequests]] = {}
    for variant, request in requests.items():
        folder = adapter.base_of(request.adapter, base_dir)
        identity = base_dir if folder == base_dir else resolve(folder)  # every training seed has a pin of its own
        groups.setdefault(folders.setdefault(identity, folder), {})[variant] = request
    return groups


def _answer_on(
    base_dir: Path, spec: StudentSpec, requests: Mapping[str, VariantRequests], decoding: GenerationParams, seed: int
) -> Iterator[tuple[str, list[Generation]]]:
    """As `answer_each`, of variants of one base."""
    student = load(base_dir, spec)
    encoded = _encode(student, student.model.config, requests, decoding)
    model = load_adapters(student, {variant: folder for variant, (folder, _) in requests.items()})
    plan = DecodingPlan(decoding, student.stop_ids, student.pad_id, stop_after_conclusion(student.tokenizer))
    for variant, (folder, of_variant) in requests.items():
        revision = _revision(student.source, folder)
        # A small student generates faster than its cached batches are read.
        identity = None if is_small(student.model) else digest(student.source, revision, spec.model_dump())
        with (
            portable_arithmetic(student.model),
            _activate(model, variant if folder else None) as active,
            checkpoint_folder(identity, "generation") as scratch,
        ):
            runner = _BatchRunner(student, active, plan, spec.generation_batch, scratch if identity else None)
            records: dict[int, Generation] = {}
            for indices in _group_by_instruction(of_variant):
                group = [of_variant[index] for index in indices]
                hashes = [_hash(request.messages) for request in group]
                draw_keys: list[DrawKey] = [(seed, request.item.id) for request in group]  # common to all variants
                outputs = runner.run([encoded[name] for name in hashes], draw_keys)
                for index, request, ids, name in zip(indices, group, outputs, hashes, strict=True):
                    text = str(student.tokenizer.decode(ids, skip_special_tokens=True))
                    records[index] = _record(request.item, variant, text, len(ids), spec.name, revision, name)
        answers = [records[index] for index in range(len(of_variant))]
        _log_answers(variant, answers)
        yield variant, answers


def _answer_remotely(
    base_dir: Path, spec: StudentSpec, requests: Mapping[str, VariantRequests], decoding: GenerationParams, seed: int
) -> dict[str, list[Generation]]:
    """As `answer`, with inference by the server of `spec`."""
    processor = load_processor(base_dir)
    encoded = _encode(processor, processor.config, requests, decoding)
    for folder, _ in requests.values():
        if folder is not None:
            adapter.check_base(processor.source, folder)
    is_complete = stop_after_conclusion(processor.tokenizer)
    answers: dict[str, list[Generation]] = {}
    for variants in _group_by_requests(requests):  # together: if the server lacks one adapter, it is sent no request
        adapters = {variant: requests[variant].adapter for variant in variants}
        revisions = {variant: _revision(processor.source, folder) for variant, folder in adapters.items()}
        items, messages = zip(*requests[variants[0]].requests, strict=True)
        hashes = [_hash(message) for message in messages]
        batch = RemoteBatch(adapters, revisions, items, messages, [encoded[name] for name in hashes])
        outputs = generate_remotely(processor, spec, batch, decoding, seed, is_complete)
        for variant in variants:
            answers[variant] = [
                _record(item, variant, output.text, len(output.ids), spec.name, revisions[variant], name)
                for item, output, name in zip(items, outputs[variant], hashes, strict=True)
            ]
            _log_answers(variant, answers[variant])
    return {variant: answers[variant] for variant in requests}


def _group_by_requests(requests: Mapping[str, VariantRequests]) -> list[list[str]]:
    """Variants with equal requests, together."""
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for variant, (_, of_variant) in requests.items():
        key = tuple((request.item.id, _hash(request.messages)) for request in of_variant)
        groups.setdefault(key, []).append(variant)
    return list(groups.values())


def _revision(source: Source, folder: Path | None) -> str:
    return source.revision + (f"+{adapter.fingerprint(folder)}" if folder else "")


def _log_answers(variant: str, records: Sequence[Generation]) -> None:
    log.info("%s: %d answers, %d unparsed", variant, len(records), sum(r.prediction is None for r in records))


def _encode(
    student: Student | Processor, config: Any, requests: Mapping[str, VariantRequests], decoding: GenerationParams
) -> dict[str, list[int]]:
    """Token ids of every prompt by its hash: variants with the same prompt share them."""
    encoded: dict[str, list[int]] = {}
    for request in (request for _, of_variant in requests.values() for request in of_variant):
        name = _hash(request.messages)
        if name not in encoded:
            encoded[name] = student.template.prompt_ids(list(request.messages))
            _check_length(student.source, config, request.item, encoded[name], decoding)
    return encoded


def _group_by_instruction(requests: Sequence[GenerationRequest]) -> list[list[int]]:
    """Indices of the requests that have everything before the last message in common."""
    groups: dict[str, list[int]] = {}
    for index, request in enumerate(requests):
        groups.setdefault(_hash(request.messages[:-1]), []).append(index)
    return list(groups.values())


def _hash(messages: Sequence[Message]) -> str:
    return prompt_hash(list(messages))


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


class _BatchRunner:
    """Decodes the prompts of one variant in batches.

    Args:
        model: the student as this variant, see `_activate`.
        cache: folder of finished batches until all are finished; None stores none.
    """

    def __init__(self, student: Student, model: Any, plan: DecodingPlan, batch: int, cache: Path | None) -> None:
        self.student, self.model, self.plan, self.cache = student, model, plan, cache
        self.speculative = supports_speculative_decoding(model)
        self.batch = min(batch, MAX_ROWS) if self.speculative else batch

    def run(self, encoded: Sequence[Sequence[int]], draw_keys: Sequence[DrawKey]) -> list[list[int]]:
        """New tokens of each prompt, computed in batches of similar length, returned in the order of `encoded`."""
        prefix, drafter = self._prefix(encoded), NGramDrafter()

        def decode(batch: list[int]) -> list[list[int]]:
            prompts, keys = [encoded[index] for index in batch], [draw_keys[index] for index in batch]

            def compute() -> list[list[int]]:
                if self.speculative:
                    return speculative_decode(self.model, prompts, keys, self.plan, prefix, drafter)
                return decode_batch(self.model, prompts, keys, self.plan, prefix)

            return cached_batch(self.cache, [prompts, keys, self.plan.params.model_dump()], compute)

        order = sorted(range(len(encoded)), key=lambda index: (-len(encoded[index]), tuple(encoded[index])))
        batches = [order[start : start + self.batch] for start in range(0, len(order), self.batch)]
        new: list[list[int]] = [[] for _ in encoded]
        outputs = shard_map(batches, decode, on_gpu=self.student.device.type == "cuda")
        for batch, output in zip(batches, outputs, strict=True):
            for index, ids in zip(batch, output, strict=True):
                new[index] = ids
        return new

    @torch.inference_mode()
    def _prefix(self, encoded: Sequence[Sequence[int]]) -> DynamicCache | None:
        """Keys and values of what all prompts begin with; None where that is too short or not supported."""
        length = common_prefix_length(encoded) if supports_shared_prefix(self.model.config) else 0
        if not length:
            return None
        ids = torch.tensor([list(encoded[0][:length])], device=self.student.device)
        return prefix_cache(decoder_of(self.model), ids)


def stop_after_conclusion(tokenizer: Any) -> StoppingCriterion:
    """The criterion that ends an answer besides its stop tokens: its last token completes a conclusion line."""
    newlines = _newline_tokens(tokenizer)

    def is_complete(ids: list[int]) -> bool:
        # Deviates from the paper: stop-at-conclusion - what follows a complete conclusion line has no reader, and
        # stopping each row there (not the batch) keeps a text independent of its neighbours.
        return ids[-1] in newlines and _ends_conclusion(tokenizer, ids, newlines)

    return is_complete


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


def load_adapters(student: Student, adapters: Mapping[str, Path | None]) -> Any:
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
def _activate(model: Any, variant: str | None) -> Iterator[Any]:
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
