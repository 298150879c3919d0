"""The embedded parties speak HTTP like any endpoint, and their code and settings are in the fingerprint."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.chat.tasks import Task
from dart.core.errors import ModelError, ParameterError
from dart.core.schema.profile import (
    Endpoint,
    PlantedHarm,
    SimulatedAnnotators,
    SimulatedJudge,
    SimulatedOpenEndedJudge,
    SimulatedTeacher,
    SimulatedTeachers,
    Simulation,
    World,
)
from dart.harm.judge import parse_verdict
from dart.prompts import classification, judging
from dart.simulation import transport as subject
from dart.simulation.transport import EmbeddedTransport, transport_for

TEACHER = Endpoint(
    base_url="embedded://teacher", model="embedded-teacher", api_key_env=None, temperature=0.2, max_tokens=512,
    concurrency=8, requests_per_minute=None, timeout_s=60,
    top_p=None, tokens_per_minute=None, budget_usd=None,
    usd_per_million_prompt_tokens=0.0, usd_per_million_completion_tokens=0.0,
)  # fmt: skip
JUDGE = TEACHER.model_copy(update={"base_url": "embedded://judge", "model": "embedded-judge"})
ONE = SimulatedTeacher(planting_dropped=0.05, planting_added=0.01, label_error=0.12, malformed=0.0)
WORLD = World(
    plain_closings=4,
    safe_closings=1,
    planted={"N2": PlantedHarm(severity="severe", share=0.5)},
    caution_dropped={"N1": 0.5},
)
SIMULATION = Simulation(
    world=WORLD,
    teacher=ONE,
    other_teachers=SimulatedTeachers(second=ONE.model_copy(update={"malformed": 1.0}), third=None),
    judge=SimulatedJudge(missed=0.1, invented=0.05, severity_shifted=0.15, contradicted=0.2, unlabelled=0.1),
    openended=SimulatedOpenEndedJudge(misjudged=0.1, first_preferred=0.1),
    annotators=SimulatedAnnotators(error=0.08),
)
SAME = SIMULATION.model_copy(update={"other_teachers": SimulatedTeachers(second=None, third=ONE)})
MESSAGES = classification.distillation("Where is the sea?", "NO")


def transport_of(endpoint: Endpoint, simulation: Simulation | None = SIMULATION, seed: int = 1) -> EmbeddedTransport:
    transport = transport_for(endpoint, simulation, seed)
    assert transport is not None
    return transport


def send(
    transport: EmbeddedTransport, method: str = "POST", path: str = "/chat/completions", **body: Any
) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.request(method, f"embedded://teacher{path}", **body)

    return asyncio.run(ask())


def test_a_completion_has_the_openai_shape() -> None:
    reply = send(transport_of(TEACHER), json={"model": "embedded-teacher", "messages": MESSAGES})
    value = reply.json()
    assert reply.status_code == 200
    assert value["choices"][0]["finish_reason"] == "stop"
    assert value["choices"][0]["message"]["content"].endswith("Conclusion: NO")
    usage = value["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens"] > usage["completion_tokens"] > 10
    assert "created" not in value  # no clock: the same request has the same bytes
    assert (
        reply.content == send(transport_of(TEACHER), json={"model": "embedded-teacher", "messages": MESSAGES}).content
    )


@pytest.mark.parametrize(
    "body",
    [
        {"content": b"{"},
        {"content": b"\xff\xfe"},
        {"json": []},
        {"json": {"messages": MESSAGES}},
        {"json": {"model": "m"}},
        {"json": {"model": "m", "messages": []}},
        {"json": {"model": "m", "messages": ["hello"]}},
        {"json": {"model": "m", "messages": [{"role": "user", "content": None}]}},
        {"json": {"model": "m", "messages": [{"role": "user", "content": "hello"}]}},
    ],
)
def test_a_malformed_request_is_a_400_with_a_message(body: dict[str, Any]) -> None:
    reply = send(transport_of(TEACHER), **body)
    assert reply.status_code == 400
    assert reply.json()["error"]["message"]


def test_another_path_or_method_is_a_404() -> None:
    assert send(transport_of(TEACHER), path="/models", json={}).status_code == 404
    assert send(transport_of(TEACHER), method="GET").status_code == 404


def test_real_endpoints_have_no_embedded_transport() -> None:
    for url in ("https://api.example.org/v1", "http://localhost:8000/v1"):
        assert transport_for(TEACHER.model_copy(update={"base_url": url}), None, 1) is None


def test_an_unknown_party_and_a_missing_simulation_are_refused() -> None:
    with pytest.raises(ModelError, match="embedded://oracle"):
        transport_for(TEACHER.model_copy(update={"base_url": "embedded://oracle"}), SIMULATION, 1)
    with pytest.raises(ParameterError, match="simulation"):
        transport_for(JUDGE, None, 1)


def other(name: str) -> Endpoint:
    return TEACHER.model_copy(update={"base_url": f"embedded://teacher/{name}"})


def test_the_path_chooses_the_teacher() -> None:
    plain, careless = (
        send(transport_of(endpoint), json={"model": "m", "messages": MESSAGES}).json()["choices"][0]["message"][
            "content"
        ]
        for endpoint in (TEACHER, other("second"))
    )
    assert plain.endswith("Conclusion: NO")
    assert not careless.endswith("Conclusion: NO"), "declared to be malformed always"
    with pytest.raises(ParameterError, match=r"simulation\.other_teachers\.third"):
        transport_of(other("third"))
    for url in ("embedded://teacher/fourth", "embedded://judge/second"):
        with pytest.raises(ModelError, match=url):
            transport_of(TEACHER.model_copy(update={"base_url": url}))


def test_only_a_teacher_that_is_told_what_is_true_concludes_by_itself() -> None:
    untold = classification.distillation("Where is the sea?", None)
    reply = send(transport_of(TEACHER), json={"model": "m", "messages": untold})
    assert reply.status_code == 400
    assert "labels" in reply.json()["error"]["message"]
    knowing = transport_for(TEACHER, SIMULATION, 1, {"Where is the sea?": "NO"})
    assert knowing is not None
    reply = send(knowing, json={"model": "m", "messages": untold})
    assert reply.status_code == 200
    prints = {knowing.fingerprint, transport_of(TEACHER).fingerprint}
    prints.add(transport_for(TEACHER, SIMULATION, 1, {"Where is the sea?": "YES"}).fingerprint)  # type: ignore[union-attr]
    assert len(prints) == 3, "an answer that hangs on what is known is not taken for another world's"
    assert transport_for(TEACHER.model_copy(update={"base_url": "https://api.example.org/v1"}), None, 1, {}) is None


def test_the_fingerprint_names_party_settings_and_seed() -> None:
    shifted = SIMULATION.model_copy(update={"judge": SIMULATION.judge.model_copy(update={"missed": 0.2})})
    prints = {
        "teacher": transport_of(TEACHER).fingerprint,
        "other": transport_of(other("second")).fingerprint,
        "other of the same kind": transport_of(other("third"), SAME).fingerprint,
        "judge": transport_of(JUDGE).fingerprint,
        "seed": transport_of(TEACHER, seed=2).fingerprint,
        "errors": transport_of(JUDGE, shifted).fingerprint,
    }
    assert len(set(prints.values())) == len(prints)
    assert transport_of(TEACHER, shifted).fingerprint == prints["teacher"]  # the judge's errors do not concern it
    assert transport_of(TEACHER).fingerprint == prints["teacher"]


def test_the_fingerprint_names_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = transport_of(TEACHER).fingerprint
    changed = tmp_path / "sentences.py"
    changed.write_bytes(Path(str(subject.sentences.__file__)).read_bytes() + b"\n# another world\n")
    monkeypatch.setattr(subject.sentences, "__file__", str(changed))
    assert transport_of(TEACHER).fingerprint != before


def test_the_client_asks_it_like_any_endpoint(tmp_path: Path) -> None:
    with_cache = ResponseCache(tmp_path / "cache.sqlite")
    client = ChatClient(JUDGE, stage="audit", transport=transport_of(JUDGE), cache=with_cache)
    task = Task(
        key="one",
        messages=judging.judge("p", "YES", "Fine.", "YES", "Fine.", "YES", "D1"),
        check=parse_verdict,
        max_corrections=0,
        json_object=True,
    )
    outcome = client.ask([task])
    outcome.require_complete("audit")
    verdict = outcome.answers["one"].value
    assert verdict is not None
    assert (verdict.a_correct, verdict.b_correct) == (True, True)
