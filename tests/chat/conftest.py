"""A cache of its own for every test, and no key, proxy or switch from the machine that runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dart.chat.cache import ResponseCache
from dart.chat.retry import Backoff

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
