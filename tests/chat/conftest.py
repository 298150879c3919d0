"""A cache of its own for every test, and no key, proxy or switch from the machine that runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.chat.retry import Backoff
from tests.support.fake_endpoint import ScriptedTransport, endpoint, tasks

FAST = Backoff(initial_s=0.001, max_s=0.01)


@pytest.fixture(autouse=True)
def _isolated_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DART_CACHE_ONLY", "DART_ALLOW_HTTP", "TEST_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def cache(tmp_path: Path) -> ResponseCache:
    return ResponseCache(tmp_path / "answers.sqlite")


@pytest.fixture
def fast() -> Backoff:
    return FAST


@pytest.fixture
def filled(cache: ResponseCache, fast: Backoff) -> ResponseCache:
    for stage, model, number in (("distill", "teacher", 5), ("audit@base", "judge", 3)):
        client = ChatClient(
            endpoint(model=model), stage=stage, transport=ScriptedTransport(), cache=cache, backoff=fast
        )
        client.ask(tasks(number)).require_complete(stage)
    return cache
