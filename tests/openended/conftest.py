"""A cache of its own for every test that asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dart.chat.cache import ResponseCache


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[ResponseCache]:
    opened = ResponseCache(tmp_path / "answers.sqlite")
    yield opened
    opened.close()
