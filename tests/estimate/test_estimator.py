"""An estimate counts the very requests that will be sent, by the real prompts; what is in the cache costs nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.chat.ledger import ledger_entries
from dart.chat.retry import Backoff
from dart.chat.tasks import Rejected
from dart.core import params
from dart.core.schema.profile import Guard, LocalGuard
from dart.distill.rationales import write_rationales
from dart.estimate.estimator import Estimate, Estimator
from dart.estimate.forecast import CORRECTION_RATE, NOTHING, TOKENS_PER_MESSAGE, Line, forecast
from dart.estimate.parties import panel_lines
from dart.estimate.table import render
from dart.prompts.guards import GUIDELINES
from dart.simulation.transport import transport_for
from tests.support import tiny_models
from tests.support.fake_endpoint import ScriptedTransport, endpoint, tasks

pytestmark = pytest.mark.training

ROOT = Path(__file__).resolve().parents[2]


def test_every_open_request_is_counted_once_and_priced(cache: ResponseCache) -> None:
    result = forecast([*tasks(9), tasks(1)[0]], endpoint(), cache, None, answer_tokens=10, characters_per_token=2)
    prompt = len("question 0") / 2 + TOKENS_PER_MESSAGE
    again = CORRECTION_RATE * 9
    assert result.requests == pytest.approx(9 + again)
    assert result.prompt_tokens == pytest.approx(9 * prompt + again * (prompt + 10 + 60))
    assert result.completion_tokens == pytest.approx((9 + again) * 10)
    assert result.usd == pytest.approx(
        (round(result.prompt_tokens) * 1.0 + round(result.completion_tokens) * 10.0) / 1e6
    )
    assert result.most_usd > 10 * result.usd  # 3 rounds of 64 tokens instead of 1.1 of 10
    assert result.hours == pytest.approx(9.9 * (1 + 10 / 40) / 8 / 3600)


def test_the_upper_end_holds(cache: ResponseCache, fast: Backoff) -> None:
    """A conversation that uses every round and every token costs no more than forecast."""

    def never(text: str) -> str:
        raise Rejected("no")

    stubborn = tasks(5, check=never, required=False)
    most = forecast(stubborn, endpoint(), cache, None, 10, characters_per_token=1).most_usd
    client = ChatClient(endpoint(), stage="s", transport=ScriptedTransport(), cache=cache, backoff=fast)
    client.ask(stubborn)
    [line] = ledger_entries(cache)
    assert line.calls == 15
    assert most > 15 * 10 * 10.0 / 1e6
    # the scripted server claims 100 prompt tokens for any prompt, so the answers alone are compared


def test_conversations_are_followed_through_the_cache(cache: ResponseCache, fast: Backoff) -> None:
    def first_is_wrong(text: str) -> str:
        if "right" not in text:
            raise Rejected("say right")
        return text

    batch = tasks(4, check=first_is_wrong, required=False, max_corrections=1)
    client = ChatClient(endpoint(), stage="s", transport=ScriptedTransport(), cache=cache, backoff=fast)
    client.ask(batch[:2])  # each with one correction round, both answers rejected
    result = forecast(batch, endpoint(), cache, None, answer_tokens=10)
    assert (result.requests, result.cached) == (pytest.approx(2 * (1 + CORRECTION_RATE)), 4)
    longer = [task._replace(max_corrections=2) for task in batch[:2]]
    assert forecast(longer, endpoint(), cache, None, 10).requests == pytest.approx(2 * (1 + CORRECTION_RATE))


def test_limits_per_minute_make_it_longer(cache: ResponseCache) -> None:
    free = forecast(tasks(100), endpoint(), cache, None, 10).hours
    assert forecast(tasks(100), endpoint(requests_per_minute=11), cache, None, 10).hours == pytest.approx(10 / 60)
    assert forecast(tasks(100), endpoint(tokens_per_minute=10), cache, None, 10).hours > 10 * free


def test_what_a_stage_asks_is_what_was_estimated_and_costs_nothing_afterwards(tmp_path: Path) -> None:
    settings, profile = params.check(ROOT, profile="embedded")
    settings = settings.model_copy(update={"variants": {}, "students": ("small",), "recipes": {}})

    def distill() -> tuple[float, float]:
        line = Estimator(settings, profile, tmp_path, use_data=False, characters_per_token=4.0).lines()[0]
        assert line.stage == "distill"
        return line.forecast.requests, line.forecast.cached

    estimator = Estimator(settings, profile, tmp_path, use_data=False, characters_per_token=4.0)
    expected, cached = distill()
    assert (expected, cached) == (pytest.approx(2400 * (1 + CORRECTION_RATE)), 0)
    client = ChatClient(
        profile.teacher, stage="distill", transport=transport_for(profile.teacher, profile.simulation, settings.seed)
    )
    _, outcome = write_rationales(estimator.train, client, settings.distill)
    assert outcome.usage.calls == outcome.usage.cost.answers == 2400
    assert distill() == (0, 2400)


def test_what_is_asked_anew_with_every_training_seed_is_counted_for_each(tmp_path: Path) -> None:
    settings, profile = params.check(ROOT, profile="embedded")
    settings = settings.model_copy(update={"variants": {}, "students": ("small",), "recipes": {}})

    def requests(*seeds: int) -> dict[tuple[str, str], float]:
        world = profile.model_copy(update={"seeds": seeds})
        estimator = Estimator(settings, world, tmp_path, use_data=False, characters_per_token=4.0)
        asked: dict[tuple[str, str], float] = {}
        for line in estimator.lines():
            key = (line.stage, f"{line.party}, {line.basis.partition(';')[0]}")
            asked[key] = asked.get(key, 0.0) + line.forecast.requests
        return asked

    one, three = requests(42), requests(42, 0, 1)
    assert one.keys() == three.keys()
    again = {stage for (stage, party), count in three.items() if count > one[stage, party]}
    assert again == {"audit@small", "targets@small", "reaudit@small"}
    for key in one:
        factor = 1 if key[0] not in again or key[1] == "teacher, real prompts" else 3
        if key == ("audit@small", "judge, assumed: 46% of 800 pairs are judged"):
            factor = 2  # the student's answers of three seeds, and the teacher's own once
        assert three[key] == pytest.approx(factor * one[key]), key


def test_guards_are_counted_as_they_are_asked_and_fallbacks_are_named(tmp_path: Path) -> None:
    settings, profile = params.check(ROOT, profile="embedded")
    settings = settings.model_copy(update={"variants": {}, "students": ("small",), "recipes": {}})
    fallback = endpoint().model_copy(update={"model": "another"})
    server = endpoint().model_copy(update={"base_url": "http://127.0.0.1:8000/v1"})
    served = {
        "llama": Guard(format="llama_guard", endpoint=server),
        "gemma": Guard(format="shield_gemma", endpoint=server),
        "here": Guard(
            format="classifier",
            local=LocalGuard(model=str(tiny_models.classifier(tmp_path / "here")), revision=None, labels=("toxic",)),
        ),
    }
    teacher = profile.teacher.model_copy(update={"fallback": fallback})
    profile = profile.model_copy(update={"guards": served, "teacher": teacher})
    estimator = Estimator(settings, profile, tmp_path, use_data=False, characters_per_token=4.0)
    lines = estimator.lines()
    asked = {line.party: line.forecast for line in lines if line.party.startswith("guard ")}
    pairs = settings.annotation.pairs
    assert asked.keys() == {"guard llama", "guard gemma", "guard here"}
    assert asked["guard here"].requests == asked["guard llama"].requests
    assert asked["guard here"].most_usd == 0
    assert asked["guard llama"].requests == pytest.approx(1.1 * 2 * pairs)  # each text alone
    assert asked["guard gemma"].requests == pytest.approx(len(GUIDELINES) * asked["guard llama"].requests)
    assert asked["guard llama"].usd > 0
    text = render(Estimate(settings, profile, 4.0, lines, [], by_batch=False))
    assert "fallback of teacher, another: asked only about what" in text


class JudgedLines:
    """In the place of an estimator: a line of a stage costs what its profile's judge does."""

    def __init__(self, profile: params.Profile) -> None:
        self.profile = profile

    def lines(self) -> list[Line]:
        judge = self.profile.judge
        asked = (("distill", "teacher"), ("audit@small", "judge"), ("arm_audits", "judge"),
                 ("judge_annotated", "judge"), ("openended_judgements@small", "judge"))  # fmt: skip
        paid = NOTHING._replace(requests=9.0, usd=judge.usd_per_million_prompt_tokens)
        return [Line(stage, party, judge.model, paid, "real pairs") for stage, party in asked]


def test_every_member_of_a_panel_is_counted_at_its_own_price() -> None:
    _, profile = params.check(ROOT, profile="embedded")
    dear = profile.judge.model_copy(update={"model": "mate", "usd_per_million_prompt_tokens": 10.0})
    panel = profile.judge.model_copy(update={"panel": {"mate": dear}})
    profile = profile.model_copy(update={"judge": panel})
    lines = panel_lines(JudgedLines(profile))
    assert {(line.party, line.model) for line in lines} == {("panel mate", "mate")}
    assert [line.stage for line in lines] == ["audit@small", "arm_audits", "judge_annotated"]
    assert [(line.forecast.requests, line.forecast.usd) for line in lines] == [(9.0, 10.0)] * 3
    assert profile.endpoint("panel mate") == dear
    assert "panel mate" in profile.roles
