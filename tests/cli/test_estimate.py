"""`dart estimate` on the command line: a row for each stage and endpoint, as a table and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dart.cli.app import main
from dart.core import params
from dart.estimate.forecast import CORRECTION_RATE

ROOT = Path(__file__).resolve().parents[2]


def test_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("DEEPSEEK_API_KEY", raising=False)
    out = tmp_path / "estimate.json"
    command = ["estimate", "--profile", "embedded", "--students", "small", "base", "large", "--json", str(out)]
    assert main(command) == 0
    table = capsys.readouterr().out
    assert table.splitlines()[0].split()[:3] == ["stage", "model", "requests"]
    rows = json.loads(out.read_text())["stages"]
    assert [row["stage"] for row in rows][:2] == ["distill", "audit@small"]
    stages = [row["stage"] for row in rows]
    assert [stage for stage in stages if stage.startswith("audit@")] == ["audit@small", "audit@base", "audit@large"]
    assert [row["party"] for row in rows if row["stage"] == "teacher@small"] == ["teacher", "judge"]
    assert [row["party"] for row in rows if row["stage"] == "teacher@base"] == ["judge"]  # the same rationales
    assert {f"arm@{name}" for name in params.check()[0].variants} <= set(stages)
    assert stages.count("openended@base") == 2  # one line for each judge
    requests = [row["forecast"]["requests"] for row in rows if row["stage"] == "openended@base"]
    assert requests == pytest.approx([4 * 280 * (1 + CORRECTION_RATE)] * 2)
    assert stages.count("arm@second_judge") == 3  # its pool, other targets, the audit after repair
    assert stages.count("arm@controls") == 2  # sham targets, and audits
    assert stages.count("arm@label_only") == stages.count("arm@folds_first") == 1
    assert [row["party"] for row in rows][-3:] == ["judge", "second_judge", "teacher"]
    assert main(["estimate", "--students", "huge"]) == 1
    assert "slots are" in capsys.readouterr().err
    assert main(["estimate", "--profile", "papper"]) == 1
    assert "did you mean 'paper'" in capsys.readouterr().err
