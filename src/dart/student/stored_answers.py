"""Answers that a stage generates once: what it has stored of an earlier run is read, the rest is generated.

A stage that answers for several training seeds, or for an arm, is run again when one seed is added or after a kill; the
answers of the other adapters stay what they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from dart.core import hub
from dart.core.distributed import is_main_process, run_on_main_process
from dart.core.errors import DataError
from dart.core.files import read_jsonl, write_jsonl
from dart.core.records import Generation, Item
from dart.core.result_cache import ResultCache, has_result
from dart.core.schema.method import GenerationParams
from dart.core.schema.profile import StudentSpec
from dart.student import adapter
from dart.student.generation import GenerationRequest, VariantRequests, answer_each, inference_messages


def generate_once(
    results: ResultCache,
    base_dir: Path,
    spec: StudentSpec,
    adapters: Mapping[str, Path | None],
    items: Sequence[Item],
    decoding: GenerationParams,
    seed: int,
) -> dict[str, list[Generation]]:
    """As `dart.student.generation.generate`, with the prompt of E.3; variants that `results` holds are read.

    Raises:
        DataError: `items` is empty.
        ModelError: an adapter of another base, or a prompt that leaves no room for an answer.
    """
    if not items:
        raise DataError("Cannot generate answers: the list of items is empty.")
    requests = [GenerationRequest(item, inference_messages(item)) for item in items]
    by_variant = {variant: VariantRequests(folder, requests) for variant, folder in adapters.items()}
    return answer_once(results, base_dir, spec, by_variant, decoding, seed)


def answer_once(
    results: ResultCache,
    base_dir: Path,
    spec: StudentSpec,
    requests: Mapping[str, VariantRequests],
    decoding: GenerationParams,
    seed: int,
) -> dict[str, list[Generation]]:
    """As `dart.student.generation.answer`; variants that `results` holds are read. All processes must call this."""
    bases = {variant: adapter.base_of(folder, base_dir) for variant, (folder, _) in requests.items()}
    sources = {base: hub.resolve(base) for base in dict.fromkeys(bases.values())}  # reads whole checkpoints
    files = {
        variant: results.path(
            sources[bases[variant]],
            variant,
            adapter.fingerprint(folder) if folder else None,
            spec.model_dump(),
            decoding.model_dump(),
            seed,
            [(request.item.model_dump(), list(request.messages)) for request in of_variant],
        )
        for variant, (folder, of_variant) in requests.items()
    }
    missing = {variant: requests[variant] for variant, file in files.items() if not has_result(file)}
    if missing:
        for variant, answers in answer_each(base_dir, spec, missing, decoding, seed):
            if is_main_process():
                write_jsonl(files[variant], answers)
    return {variant: run_on_main_process(partial(read_jsonl, file, Generation)) for variant, file in files.items()}
