"""`dart estimate` tells what will be asked from the questions that will be asked; what is there costs nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.chat.ledger import ledger_entries
from dart.chat.retry import Backoff
from dart.chat.tasks import Rejected
from dart.cli.app import main
from dart.core import params
from dart.distill.rationales import write_rationales
from dart.estimate.estimator import Estimator
from dart.estimate.forecast import CORRECTION_RATE, TOKENS_PER_MESSAGE, forecast
from dart.simulation.transport import transport_for
from tests.support.fake_endpoint import ScriptedTransport, endpoint, tasks

ROOT = Path(__file__).resolve().parents[2]


def test_every_open_request_is_counted_once_and_priced(cache: ResponseCache) -> None:
    found = forecast([*tasks(9), tasks(1)[0]], endpoint(), cache, None, answer_tokens=10, characters_per_token=2)
    prompt = len("question 0") / 2 + TOKENS_PER_MESSAGE
    again = CORRECTION_RATE * 9
    assert found.requests == pytest.approx(9 + again)
    assert found.prompt_tokens == pytest.approx(9 * prompt + again * (prompt + 10 + 60))
    assert found.completion_tokens == pytest.approx((9 + again) * 10)
    assert found.usd == pytest.approx((round(found.prompt_tokens) * 1.0 + round(found.completion_tokens) * 10.0) / 1e6)
    assert found.most_usd > 10 * found.usd  # 3 rounds of 64 tokens instead of 1.1 of 10
    assert found.hours == pytest.approx(9.9 * (1 + 10 / 40) / 8 / 3600)


def test_the_upper_end_holds(cache: ResponseCache, fast: Backoff) -> None:
    """A conversation that uses every round and every token costs no more than was said."""

    def never(text: str) -> str:
        raise Rejected("no")

    asked = tasks(5, check=never, required=False)
    most = forecast(asked, endpoint(), cache, None, 10, characters_per_token=1).most_usd
    client = ChatClient(endpoint(), stage="s", transport=ScriptedTransport(), cache=cache, backoff=fast)
    client.ask(asked)
    [line] = ledger_entries(cache)
    assert line.calls == 15
    assert most > 15 * 10 * 10.0 / 1e6
    # the scripted server claims 100 prompt tokens for any prompt, so the answers alone are compared


def test_conversations_are_followed_through_the_cache(cache: ResponseCache, fast: Backoff) -> None:
    def first_is_wrong(text: str) -> str:
        if "right" not in text:
            raise Rejected("say right")
        return text

    given = tasks(4, check=first_is_wrong, required=False, max_corrections=1)
    client = ChatClient(endpoint(), stage="s", transport=ScriptedTransport(), cache=cache, backoff=fast)
    client.ask(given[:2])  # each with one correction round, both answers rejected
    found = forecast(given, endpoint(), cache, None, answer_tokens=10)
    assert (found.requests, found.cached) == (pytest.approx(2 * (1 + CORRECTION_RATE)), 4)
    longer = [task._replace(max_corrections=2) for task in given[:2]]
    assert forecast(longer, endpoint(), cache, None, 10).requests == pytest.approx(2 * (1 + CORRECTION_RATE))


def test_limits_per_minute_make_it_longer(cache: ResponseCache) -> None:
    free = forecast(tasks(100), endpoint(), cache, None, 10).hours
    assert forecast(tasks(100), endpoint(requests_per_minute=11), cache, None, 10).hours == pytest.approx(10 / 60)
    assert forecast(tasks(100), endpoint(tokens_per_minute=10), cache, None, 10).hours > 10 * free


def test_what_a_stage_asks_is_what_was_estimated_and_costs_nothing_afterwards(tmp_path: Path) -> None:
    settings, profile = params.check(ROOT, profile="embedded")

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


def test_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("DEEPSEEK_API_KEY", raising=False)
    out = tmp_path / "estimate.json"
    command = ["estimate", "--profile", "embedded", "--students", "small", "base", "large", "--json", str(out)]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[0].split()[:3] == ["stage", "model", "requests"]
    rows = json.loads(out.read_text())["stages"]
    assert [row["stage"] for row in rows][:2] == ["distill", "audit@small"]
    stages = [row["stage"] for row in rows]
    assert [stage for stage in stages if stage.startswith("audit@")] == ["audit@small", "audit@base", "audit@large"]
    assert [row["party"] for row in rows if row["stage"] == "audit@small"] == ["judge", "teacher", "judge"]
    assert [row["party"] for row in rows if row["stage"] == "audit@base"] == ["judge", "judge"]  # the same rationales
    assert set(params.check()[0].variants) <= {stage.partition("@")[2] for stage in stages}
    assert stages.count("openended_judgements@base") == 2  # one line for each judge
    asked = [row["forecast"]["requests"] for row in rows if row["stage"] == "openended_judgements@base"]
    assert asked == pytest.approx([4 * 280 * (1 + CORRECTION_RATE)] * 2)
    of_arm = {arm: [s for s in stages if s.endswith(f"@{arm}")] for arm in ("second_judge", "controls", "label_only")}
    assert of_arm["second_judge"] == ["arm_pools@second_judge"] * 2 + ["arm_audits@second_judge"]  # pool, targets
    assert of_arm["controls"] == ["arm_pools@controls", "arm_audits@controls"]  # sham targets
    assert of_arm["label_only"] == ["arm_audits@label_only"]
    assert stages.count("arm_rationales@folds_first") == 1
    assert [row["party"] for row in rows][-3:] == ["judge", "second_judge", "teacher"]
    assert main(["estimate", "--students", "huge"]) == 1
    assert "slots are" in capsys.readouterr().err
    assert main(["estimate", "--profile", "papper"]) == 1
    assert "did you mean 'paper'" in capsys.readouterr().err
