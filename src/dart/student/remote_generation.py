"""Generation by a server (`engine: openai`) with the results of local generation (Section 2.4).

Same requests, decoding and stopping criterion as `generation`; what differs is which process runs inference. The
server's text is truncated where the local loop stops, a truncated or empty text is an answer like any other, and no
request is sent twice: answers are cached with the teacher's and the judge's, under the fingerprint of base and adapter.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dart.chat.client import ChatClient
from dart.chat.models import ModelList
from dart.chat.tasks import Task
from dart.chat.transport import cache_only
from dart.core.distributed import run_on_main_process
from dart.core.errors import ModelError
from dart.core.records import Item
from dart.core.schema.method import GenerationParams
from dart.core.schema.profile import Server, StudentSpec
from dart.core.seeds import seed_for
from dart.student import serving
from dart.student.decode import StoppingCriterion
from dart.student.loading import Processor
from dart.student.template import DATE, Message

log = logging.getLogger(__name__)

STOP = ("\nConclusion: YES\n", "\nConclusion: NO\n")  # whole lines only: never earlier than the local loop stops


class RemoteAnswer(NamedTuple):
    """What the server wrote, up to where the local loop would have stopped."""

    text: str
    ids: list[int]


class RemoteBatch(NamedTuple):
    """The same prompts for several variants of one student."""

    adapters: Mapping[str, Path | None]  # by variant; None is the base itself
    revisions: Mapping[str, str]  # of base and adapter by variant; part of every request's identity in the cache
    items: Sequence[Item]
    messages: Sequence[Sequence[Message]]
    encoded: Sequence[Sequence[int]]  # the prompts as local generation reads them, to compare with the server's count


def generate_remotely(
    processor: Processor,
    spec: StudentSpec,
    batch: RemoteBatch,
    decoding: GenerationParams,
    seed: int,
    is_complete: StoppingCriterion,
) -> dict[str, list[RemoteAnswer]]:
    """Let every variant answer every item on the server of `spec`; under a launcher one process asks for all.

    Raises:
        ChatError: the server does not answer, or refuses.
        IncompleteError: some answers are missing; the others are cached.
        ModelError: the server lacks base or adapter, or reads the prompts in another layout.
    """
    return run_on_main_process(lambda: _generate(processor, spec, batch, decoding, seed, is_complete))


def _generate(
    processor: Processor,
    spec: StudentSpec,
    batch: RemoteBatch,
    decoding: GenerationParams,
    seed: int,
    is_complete: StoppingCriterion,
) -> dict[str, list[RemoteAnswer]]:
    server = spec.server
    assert server is not None, "validated: engine openai has a server"
    tasks = [
        Task(
            str(index),
            processor.template.merge_system(messages),  # in the roles that the model's template has
            check=str,
            max_corrections=0,
            extra_body=_extra_fields(server, decoding, seed_for(seed, item.id)),
            allow_truncated=True,
        )
        for index, (item, messages) in enumerate(zip(batch.items, batch.messages, strict=True))
    ]
    names = serving.served_names(server, processor.source, batch.adapters)
    clients = {
        variant: ChatClient(
            serving.endpoint_of(server, name, decoding), stage=f"generate {variant}",
            fingerprint=f"student {batch.revisions[variant]}",
        )
        for variant, name in names.items()
    }  # fmt: skip
    if not cache_only() and (incomplete := [v for v, client in clients.items() if client.count_uncached(tasks)]):
        models = ModelList(serving.endpoint_of(server, names[incomplete[0]], decoding))
        serving.check_served(spec, server, processor.source, {v: batch.adapters[v] for v in incomplete}, models)
    results: dict[str, list[RemoteAnswer]] = {}
    for variant, client in clients.items():
        outcome = client.ask(tasks)
        outcome.require_complete(f"{spec.name}, {variant}")
        answers = [outcome.answers[task.key] for task in tasks]
        _check_layout(spec, server, [answer.prompt_tokens for answer in answers], batch.encoded)
        results[variant] = [_truncate(answer.text, processor.tokenizer, is_complete) for answer in answers]
    return results


def _extra_fields(server: Server, decoding: GenerationParams, seed: int) -> dict[str, Any]:
    """Fields of a request beyond those of every endpoint."""
    fields: dict[str, Any] = {}
    if decoding.temperature > 0:
        fields["seed"] = seed  # the same for all variants of a pair, as in local sampling
    if server.kind == "vllm":
        # Explicit, because by default a server takes its defaults from the model's repository.
        fields |= {"repetition_penalty": 1.0, "top_k": -1, "min_p": 0.0}
        fields |= {"stop": list(STOP), "include_stop_str_in_output": True}
        fields |= {"chat_template_kwargs": {"date_string": DATE}}
    return fields


def _check_layout(spec: StudentSpec, server: Server, counted: Sequence[int], encoded: Sequence[Sequence[int]]) -> None:
    """Compare the lengths of the prompts: another template or tokenizer on the server makes them all differ."""
    pairs = [(remote, len(ids)) for remote, ids in zip(counted, encoded, strict=True) if remote]
    differing = [(remote, local) for remote, local in pairs if remote != local]
    if not differing:
        return
    remote, local = differing[0]
    problem = f"{server.base_url} counts {remote} tokens in a prompt of {spec.name} that has {local} here"
    if len(differing) == len(pairs):
        raise ModelError(
            f"{problem}, and likewise for all {len(pairs)}: its chat template or tokenizer is not the one that "
            "the student was trained with. Start it with the same checkpoint and revision, and without --chat-template."
        )
    log.warning("%s; %d of %d prompts differ", problem, len(differing), len(pairs))


def _truncate(text: str, tokenizer: Any, is_complete: StoppingCriterion) -> RemoteAnswer:
    """`text` up to the token that ends its conclusion line, where the local loop stops; whole if there is none."""
    ids = list(tokenizer(text, add_special_tokens=False).input_ids)
    for count in range(1, len(ids)):
        if is_complete(ids[:count]):
            return RemoteAnswer(tokenizer.decode(ids[:count], skip_special_tokens=True), ids[:count])
    return RemoteAnswer(text, ids)
