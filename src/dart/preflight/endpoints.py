"""Teachers, judges and servers: keys and addresses without a network, and one smallest request of a stage to each.

A wrong key of the judge appears hours of GPU after the teacher was paid; a field that a provider refuses, at the first
request of its stage. The request here has the body of that stage (prompt, JSON mode, temperature, every field), with
the shortest question, and is charged to the ledger like any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx

from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.chat.models import ModelList
from dart.chat.retry import Backoff
from dart.chat.tasks import Task
from dart.chat.transport import cache_only, check_url, read_key
from dart.core.errors import ChatError, DartError
from dart.core.params import Params, Profile
from dart.core.records import Generation, Item
from dart.core.schema.profile import EMBEDDED, LOCAL, Endpoint
from dart.distill.rationales import rationale_task
from dart.harm.guards import guard_tasks
from dart.harm.judge import judge_task
from dart.preflight.findings import Finding

STAGE = "check"
TRIES = Backoff(max_tries=2, initial_s=1.0, max_s=5.0, max_retry_after_s=10.0)
_ITEM = Item(
    id="check", benchmark="D1", condition="EQUAL", gold="NO", prompt="Should age decide who may vote twice?",
    scenario="check",
)  # fmt: skip


def keys_and_addresses(params: Params, profile: Profile) -> list[Finding]:
    """What can be seen of every endpoint without a network."""
    return [_offline(subject, endpoint) for subject, endpoint in _endpoints(params, profile)]


def _endpoints(params: Params, profile: Profile) -> Iterator[tuple[str, Endpoint]]:
    """(name in messages, endpoint) of every party and server that is not simulated."""
    for role in profile.roles:
        endpoint = profile.endpoint(role)
        if endpoint is None or endpoint.base_url == LOCAL or endpoint.base_url.startswith(f"{EMBEDDED}:"):
            continue  # nobody is asked over a network
        yield f"{role} {endpoint.model}", endpoint
        if endpoint.fallback is not None:
            yield f"{role} fallback {endpoint.fallback.model}", endpoint.fallback
    for slot in params.students:
        spec = profile.students[slot]
        if spec.engine == "openai" and spec.server is not None:
            from dart.student.serving import endpoint_of  # brings torch along, which nothing else here needs

            name = spec.server.model or spec.model
            yield f"server of slot {slot}", endpoint_of(spec.server, name, params.generation)


def _offline(subject: str, endpoint: Endpoint) -> Finding:
    try:
        check_url(endpoint.base_url, in_process=False)
        key = read_key(endpoint)
    except ChatError as error:
        return Finding(subject, "problem", str(error))
    if cache_only():
        return Finding(subject, "ok", "answers come from the cache alone")
    source = f"key in {endpoint.api_key_env}" if key is not None else "no key"
    return Finding(subject, "ok", f"{endpoint.base_url}, {source}")


def first_requests(params: Params, profile: Profile) -> list[Finding]:
    """One request to each party, one look at each server; what is wrong offline already is not asked."""
    findings = []
    for subject, endpoint in _endpoints(params, profile):
        if cache_only() or _offline(subject, endpoint).level == "problem":
            continue
        if subject.startswith("server"):
            findings.append(_look_at_server(subject, endpoint))
        else:
            findings.append(_ask(subject, endpoint, _task(subject, params, profile)))
    return findings


def _task(subject: str, params: Params, profile: Profile) -> Task[Any]:
    """The question of the stage that asks a party, about the shortest item."""
    role, _, rest = subject.partition(" ")
    if role == "guard":
        return guard_tasks(profile.guards[rest.partition(" ")[0]].format, _ITEM, "base", _answer("base").rationale)[0]
    if role.endswith("teacher"):
        return rationale_task(_ITEM, params.distill)
    return judge_task(_ITEM, _answer("base"), _answer("distilled"))


def _answer(variant: str) -> Generation:
    text = "Everyone has one vote."
    return Generation(
        item_id=_ITEM.id, variant=variant, text=text, rationale=text, prediction="NO", new_tokens=0, model="",
        revision="", prompt_hash="",
    )  # fmt: skip


def _ask(subject: str, endpoint: Endpoint, task: Task[Any]) -> Finding:
    cache = ResponseCache()
    try:
        client = ChatClient(endpoint, stage=STAGE, cache=cache, backoff=TRIES)
        cache.delete([client.key(task)])  # an answer from the cache would say nothing about today
        outcome = client.ask([task._replace(max_corrections=0, required=False)])
    except DartError as error:
        return Finding(subject, "problem", str(error))
    if outcome.failures:
        reason = next(iter(outcome.failures.values()))
        way_out = "Check base_url and model in the profile, and whether the provider is up"
        return Finding(subject, "problem", f"{endpoint.base_url} gives no answer: {reason}. {way_out}.")
    if not outcome.answers:
        return Finding(subject, "warning", "it declined the question of this check; see its refusals when a stage asks")
    answer = next(iter(outcome.answers.values()))
    served = "" if answer.model == endpoint.model else f" (as {answer.model})"
    if answer.problem is not None:
        return Finding(
            subject, "warning",
            f"answers{served}, but not in the form that its stage needs: {answer.problem[:200]} Stages ask again up "
            "to max_corrections times; if this is the rule, choose another model or JSON mode.",
        )  # fmt: skip
    return Finding(subject, "ok", f"answers{served}, {outcome.usage.usd:.5f} USD")


def _look_at_server(subject: str, endpoint: Endpoint) -> Finding:
    try:
        models = ModelList(endpoint).fetch()
    except (DartError, httpx.InvalidURL) as error:
        return Finding(subject, "problem", str(error))
    if endpoint.model not in models:
        known = ", ".join(sorted(models)[:5]) or "none"
        return Finding(
            subject, "warning",
            f"{endpoint.base_url} does not list {endpoint.model} (it has {known}); stage generate prints the command "
            "that serves it",
        )  # fmt: skip
    return Finding(subject, "ok", f"{endpoint.base_url} serves {endpoint.model}")
