"""`dart estimate` on the command line: a row for each stage and endpoint, as a table and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dart.cli.app import main
from dart.core import params
from dart.estimate.forecast import CORRECTION_RATE

pytestmark = pytest.mark.training

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
    audits = [stage for stage in stages if stage.startswith("audit@")]
    assert list(dict.fromkeys(audits)) == ["audit@small", "audit@base", "audit@large"]
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
