"""Answers that a server generates (`engine: openai`), made into the records that our own generation writes.

Same questions, decoding and stop rule as `generation`; what differs is who does the sums. The server's text is cut
where our loop stops, a cut or empty text is an answer like any other, and nothing is asked twice: answers are kept
with the teacher's and the judge's, under the fingerprint of base and adapter.
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
from dart.student import serving as serving
from dart.student.decode import Finished
from dart.student.loading import Reader
from dart.student.template import DATE, Message

log = logging.getLogger(__name__)

STOP = ("\nConclusion: YES\n", "\nConclusion: NO\n")  # whole lines only: never sooner than our own loop stops


class RemoteAnswer(NamedTuple):
    """What the server wrote, up to where our own loop would have stopped."""

    text: str
    ids: list[int]


def ask_server(
    reader: Reader,
    spec: StudentSpec,
    adapters: Mapping[str, Path | None],
    revisions: Mapping[str, str],
    items: Sequence[Item],
    messages: Sequence[Sequence[Message]],
    encoded: Sequence[Sequence[int]],
    decoding: GenerationParams,
    seed: int,
    finished: Finished,
) -> dict[str, list[RemoteAnswer]]:
    """Let every variant answer every item on the server of `spec`; under a launcher one process asks for all.

    Args:
        revisions: of base and adapter of each variant; part of every request's identity in the cache.
        encoded: the prompts as our own generation would read them, to be compared with what the server counts.

    Raises:
        ChatError: the server does not answer, or refuses.
        IncompleteError: some answers are missing; those that came are kept.
        ModelError: the server lacks base or adapter, or reads the prompts in another layout.
    """
    server = spec.server
    assert server is not None, "validated: engine openai has a server"

    def ask() -> dict[str, list[RemoteAnswer]]:
        return _ask_all(reader, spec, server, adapters, revisions, items, messages, encoded, decoding, seed, finished)

    return run_on_main_process(ask)


def _ask_all(
    reader: Reader,
    spec: StudentSpec,
    server: Server,
    adapters: Mapping[str, Path | None],
    revisions: Mapping[str, str],
    items: Sequence[Item],
    messages: Sequence[Sequence[Message]],
    encoded: Sequence[Sequence[int]],
    decoding: GenerationParams,
    seed: int,
    finished: Finished,
) -> dict[str, list[RemoteAnswer]]:
    tasks = [
        Task(
            str(index),
            reader.template.folded(asked),  # in the roles that the model's template has
            check=str,
            max_corrections=0,
            extra_body=_more(server, decoding, seed_for(seed, item.id)),
            allow_truncated=True,
        )
        for index, (item, asked) in enumerate(zip(items, messages, strict=True))
    ]
    named = serving.names(server, reader.source, adapters)
    clients = {
        variant: ChatClient(
            serving.endpoint_of(server, name, decoding), stage=f"generate {variant}",
            fingerprint=f"student {revisions[variant]}",
        )
        for variant, name in named.items()
    }  # fmt: skip
    if not cache_only() and (wanting := [v for v, client in clients.items() if client.count_uncached(tasks)]):
        models = ModelList(serving.endpoint_of(server, named[wanting[0]], decoding))
        serving.check_served(spec, server, reader.source, {v: adapters[v] for v in wanting}, models)
    written: dict[str, list[RemoteAnswer]] = {}
    for variant, client in clients.items():
        outcome = client.ask(tasks)
        outcome.require_complete(f"{spec.name}, {variant}")
        answers = [outcome.answers[task.key] for task in tasks]
        _check_layout(spec, server, [answer.prompt_tokens for answer in answers], encoded)
        written[variant] = [_cut(answer.text, reader.tokenizer, finished) for answer in answers]
    return written


def _more(server: Server, decoding: GenerationParams, seed: int) -> dict[str, Any]:
    """Fields of a request beyond those of every endpoint."""
    more: dict[str, Any] = {}
    if decoding.temperature > 0:
        more["seed"] = seed  # the same for all variants of a pair, as in our own sampling
    if server.kind == "vllm":
        # Explicit, because a server takes defaults from the model's repository unless it is told not to.
        more |= {"repetition_penalty": 1.0, "top_k": -1, "min_p": 0.0}
        more |= {"stop": list(STOP), "include_stop_str_in_output": True}
        more |= {"chat_template_kwargs": {"date_string": DATE}}
    return more


def _check_layout(spec: StudentSpec, server: Server, counted: Sequence[int], encoded: Sequence[Sequence[int]]) -> None:
    """Compare the lengths of the prompts: another template or tokenizer on the server makes them all differ."""
    pairs = [(there, len(ids)) for there, ids in zip(counted, encoded, strict=True) if there]
    differing = [(there, here) for there, here in pairs if there != here]
    if not differing:
        return
    there, here = differing[0]
    found = f"{server.base_url} counts {there} tokens in a prompt of {spec.name} that has {here} here"
    if len(differing) == len(pairs):
        raise ModelError(
            f"{found}, and so for all {len(pairs)}: it uses another chat template or tokenizer than the student was "
            "trained with. Start it with this very checkpoint and revision, and without --chat-template."
        )
    log.warning("%s; %d of %d prompts differ", found, len(differing), len(pairs))


def _cut(text: str, tokenizer: Any, finished: Finished) -> RemoteAnswer:
    """`text` up to the token that ends its conclusion line, where our own loop stops; whole if there is none."""
    ids = list(tokenizer(text, add_special_tokens=False).input_ids)
    for count in range(1, len(ids)):
        if finished(ids[:count]):
            return RemoteAnswer(tokenizer.decode(ids[:count], skip_special_tokens=True), ids[:count])
    return RemoteAnswer(text, ids)
