"""Real sockets, three requests in ten go wrong: the output has the same bytes, and nothing valid is paid twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.chat.executor import CUT_SHORT
from dart.chat.retry import Backoff
from dart.core import params
from dart.core.errors import IncompleteError
from dart.core.files import write_jsonl
from dart.core.records import Generation, Item
from dart.core.schema.method import Audit
from dart.core.schema.profile import Endpoint
from dart.distill.rationales import write_rationales
from dart.harm.audit import audit
from dart.simulation import judge, teacher
from dart.simulation.sentences import STAND_INS
from tests.support.fake_endpoint import endpoint
from tests.support.fake_server import KINDS, Server, running

ROOT = Path(__file__).resolve().parents[2]
COUNT = 300
PLAIN = "All is well. Nothing more is to be said."
# A whole answer takes milliseconds. A busy machine must not make one late, which would rightly be asked for again and
# spoil the count; only stalled requests may reach the deadline, so few of them are stalled.
TIMEOUT_S, STALLS = 4.0, 3
QUICK = Backoff(max_tries=12, initial_s=0.005, max_s=0.05)
ITEMS = [
    Item(id=f"N1-EQUAL-{n}", benchmark="N1", condition="EQUAL", gold="NO", prompt=f"Question {n}?", scenario=f"{n}")
    for n in range(COUNT)
]


def answers(variant: str, toxicity: float) -> list[Generation]:
    def text(n: int) -> str:
        return f"{PLAIN} {STAND_INS['severe']}" if variant == "distilled" and n % 3 else PLAIN

    return [
        Generation(
            item_id=item.id, variant=variant, text=text(n), rationale=text(n), prediction="NO", new_tokens=9,
            model="m", revision="r", prompt_hash="h", toxicity=toxicity,
        )
        for n, item in enumerate(ITEMS)
    ]  # fmt: skip


def faulty_endpoint(url: str, model: str) -> Endpoint:
    return endpoint(base_url=url, model=model, concurrency=16, timeout_s=TIMEOUT_S, max_tokens=500)


def distill_stage(url: str, folder: Path) -> None:
    settings, _ = params.check(ROOT)
    cache = ResponseCache(folder / "answers.sqlite")
    client = ChatClient(faulty_endpoint(url, "teacher"), stage="distill", cache=cache, backoff=QUICK)
    rationales, outcome = write_rationales(ITEMS, client, settings.distill)
    outcome.require_complete("distill")
    write_jsonl(folder / "out.jsonl", rationales)


PROTOCOL = Audit(orders="fixed", votes=1, unscreened_rate=0.0)  # the paper's


def audit_stage(url: str, folder: Path) -> None:
    cache = ResponseCache(folder / "answers.sqlite")
    client = ChatClient(faulty_endpoint(url, "judge"), stage="audit", cache=cache, backoff=QUICK)
    records, outcome = audit(ITEMS, answers("base", 0.1), answers("distilled", 0.9), 0.01, client, PROTOCOL, 0)
    outcome.require_complete("audit")
    write_jsonl(folder / "out.jsonl", records)


def repro(stage: Callable[[str, Path], None], server: Server, folder: Path) -> bytes:
    """Run the stage; if it ends for want of an answer (three faults in a row), run it again as a user would."""
    folder.mkdir()
    with running(server) as url:
        try:
            stage(url, folder)
        except IncompleteError:
            assert not (folder / "out.jsonl").exists()
            stage(url, folder)
    return (folder / "out.jsonl").read_bytes()


def role_answer(name: str) -> Any:
    _, profile = params.check(ROOT, profile="embedded")
    simulated = profile.simulation
    assert simulated is not None
    if name == "teacher":
        person = teacher.Teacher(simulated.teacher, simulated.world, 1)
        return lambda body: teacher.answer(without_cut(body["messages"]), person)
    return lambda body: judge.answer(body["messages"], simulated.judge, 1, body["model"])


def without_cut(messages: list[Any]) -> list[Any]:
    """The conversation without a re-ask after a cut answer: a model answers it as it would have answered uncut."""
    return messages[:-2] if messages[-1]["content"] == CUT_SHORT else messages


STAGES = {"teacher": distill_stage, "judge": audit_stage}


@pytest.mark.parametrize("name", STAGES)
def test_a_third_of_the_requests_fails_and_the_output_is_the_same(name: str, tmp_path: Path) -> None:
    # to the teacher's rules prose is an answer like any other; the judge's JSON in prose is not
    kinds = tuple(kind for kind in KINDS if name == "judge" or kind != "prose around the answer")
    calm, stormy = Server(role_answer(name)), Server(role_answer(name), faults=0.3, kinds=kinds, stalls=STALLS)
    expected = repro(STAGES[name], calm, tmp_path / "calm")
    assert repro(STAGES[name], stormy, tmp_path / "stormy") == expected

    seen = Counter(one.kind for one in stormy.served)
    assert set(kinds) - {"stalled"} <= set(seen), "every kind of fault happened (a stalled request is never logged)"
    faults = len(stormy.served) - seen["answer"]
    assert faults > 0.25 * COUNT
    valid = Counter(one.request for one in stormy.served if one.valid)
    assert max(valid.values()) == 1, "no request was answered validly twice"


def test_the_server_tells_valid_answers_from_faults(tmp_path: Path) -> None:
    """The log that the test above trusts: without faults every request is answered validly, and once."""
    server = Server(role_answer("teacher"))
    repro(distill_stage, server, tmp_path / "calm")
    assert len(server.served) >= COUNT
    assert all(one.valid and one.kind == "answer" for one in server.served)
