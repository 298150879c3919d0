"""Keys and addresses are refused offline; online each party gets one request with the body of its stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dart.chat.cache import ResponseCache
from dart.chat.ledger import ledger_entries
from dart.cli.app import main
from dart.core.params import Params, Profile, check
from dart.core.schema.profile import Judge
from dart.preflight import checks, endpoints
from dart.preflight.findings import CheckFailed, render, require
from tests.support.fake_batches import FakeBatches, completion, running
from tests.support.fake_endpoint import endpoint

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-proj-0123456789abcdefghij"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(endpoints, "TRIES", endpoints.TRIES._replace(initial_s=0.001))
    for name in ("TEST_KEY", "DART_CACHE_ONLY", "DART_SKIP_CHECK"):
        monkeypatch.delenv(name, raising=False)


def with_judge(**changes: Any) -> tuple[Params, Profile]:
    settings, profile = check(ROOT, profile="embedded")
    return settings, profile.model_copy(update={"judge": Judge.of(endpoint(**changes))})


REFUSED = {
    "a file": ({"base_url": "file:///etc/passwd"}, "neither https"),
    "http to the world": ({"base_url": "http://evil.example/v1"}, "unencrypted"),
    "nothing": ({"base_url": ""}, "neither https"),
    "a password": ({"base_url": "https://user:pw@host.example/v1"}, "user name or password"),
    "a key in the query": ({"base_url": f"https://host.example/v1?key={KEY}"}, "a key in its query"),
    "a missing key": ({"base_url": "https://host.example/v1", "api_key_env": "TEST_KEY"}, "export TEST_KEY"),
    "a pasted key": ({"base_url": "https://host.example/v1", "api_key_env": KEY}, "looks like a key"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_can_be_seen_offline_is_refused(kind: str) -> None:
    changes, words = REFUSED[kind]
    [finding] = endpoints.keys_and_addresses(*with_judge(**changes))
    assert (finding.level, finding.subject) == ("problem", "judge asked-model")
    assert words in finding.text
    assert KEY not in render([finding])
    assert "pw" not in finding.text.replace("password", "")
    with pytest.raises(CheckFailed, match="1 problems"):
        require([finding])


def test_every_member_of_a_panel_is_looked_at() -> None:
    settings, profile = with_judge(base_url="https://host.example/v1")
    member = endpoint(base_url="https://other.example/v1", api_key_env="TEST_KEY").model_copy(update={"model": "other"})
    panel = profile.judge.model_copy(update={"panel": {"mate": member}})
    findings = endpoints.keys_and_addresses(settings, profile.model_copy(update={"judge": panel}))
    assert [(finding.subject, finding.level) for finding in findings] == [
        ("judge asked-model", "ok"), ("panel mate other", "problem"),
    ]  # fmt: skip
    assert "export TEST_KEY" in findings[1].text


def test_simulated_parties_need_nothing() -> None:
    assert endpoints.keys_and_addresses(*check(ROOT, profile="embedded")) == []
    assert endpoints.first_requests(*check(ROOT, profile="embedded")) == []


def test_the_request_is_that_of_the_stage_and_is_paid_by_the_ledger() -> None:
    bodies: list[dict[str, Any]] = []

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        bodies.append(body)
        return completion("no verdict at all")

    with running(FakeBatches(answer)) as server:
        settings, profile = with_judge(base_url=server.base_url, temperature=0.1)
        for _ in range(2):  # the answer of the first time would say nothing about today
            [finding] = endpoints.first_requests(settings, profile)
    assert finding.level == "warning"
    assert "not in the form" in finding.text
    assert len(bodies) == 2
    assert bodies[0]["response_format"] == {"type": "json_object"}
    assert (bodies[0]["temperature"], bodies[0]["max_tokens"]) == (0.1, 64)
    assert ledger_entries(ResponseCache())[0].calls == 2


@pytest.mark.parametrize(("path", "status", "words"), [
    ("/chat/completions", 401, "profile"), ("/chat/completions", 404, "base_url"),
])  # fmt: skip
def test_a_refusal_is_a_problem_with_its_way_out(path: str, status: int, words: str) -> None:
    with running(FakeBatches()) as server:
        server.fails[path] = status
        [finding] = endpoints.first_requests(*with_judge(base_url=server.base_url))
    assert finding.level == "problem"
    assert f"HTTP {status}" in finding.text
    assert words in finding.text


def test_a_server_that_is_down_is_a_problem() -> None:
    [finding] = endpoints.first_requests(*with_judge(base_url="http://127.0.0.1:9/v1"))
    assert finding.level == "problem"
    assert "gives no answer" in finding.text


def test_the_first_stage_asks_and_can_be_told_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.params, "check", lambda: with_judge(base_url="http://127.0.0.1:9/v1"))
    with pytest.raises(CheckFailed, match="DART_SKIP_CHECK"):
        checks.before_stage("suite", [])
    assert checks.before_stage("distill", []) == []
    monkeypatch.setenv("DART_SKIP_CHECK", "1")
    assert checks.before_stage("suite", []) == []


def test_a_pasted_key_is_shown_by_no_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "profiles").mkdir()
    profile = (ROOT / "profiles/embedded.yaml").read_text(encoding="utf-8")
    pasted = profile.replace("api_key_env: null", f"api_key_env: {KEY}", 1)
    assert pasted != profile
    (tmp_path / "profiles/embedded.yaml").write_text(pasted, encoding="utf-8")
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 1
    output = capsys.readouterr()
    assert "api_key_env" in output.err
    assert KEY not in output.err + output.out


def test_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    for name in ("DEEPSEEK_API_KEY", "OPENAI_API_KEY", "TOGETHER_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert main(["check", "--profile", "embedded"]) == 0
    assert "free" in capsys.readouterr().out
    assert main(["check", "--profile", "paper"]) == 1
    assert "export DEEPSEEK_API_KEY" in capsys.readouterr().err
