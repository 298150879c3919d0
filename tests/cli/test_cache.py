"""`dart cache` on the command line: counts, an archive that comes back, and no removal without --yes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dart.chat.cache import ResponseCache
from dart.cli.app import main


def test_the_command_line(
    filled: ResponseCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DART_CACHE_DIR", str(filled.path.parent))
    file = str(tmp_path / "a.jsonl.gz")
    assert main(["cache", "stats"]) == 0
    output = capsys.readouterr().out
    assert "8 answers" in output
    assert "distill: 5 calls, 500 + 50 tokens, 0.0010 USD" in output
    assert main(["cache", "export", file, "--model", "judge"]) == 0
    assert main(["cache", "prune", "--model", "judge"]) == 0
    assert len(filled) == 8
    assert main(["cache", "prune", "--model", "judge", "--yes"]) == 0
    assert len(filled) == 5
    assert main(["cache", "import", file]) == 0
    assert len(filled) == 8
    assert main(["cache", "import", str(tmp_path / "none")]) == 1
    assert "none" in capsys.readouterr().err
