"""Loading a run: the disk gives back what was written, and what is missing is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from dart.errors import DataError
from dart.paper.run import Run, load_run


def test_disk_gives_back_the_run(on_disk: Path, run: Run) -> None:
    assert load_run(on_disk, ["small", "base"], run.settings) == run


def test_missing_file_is_named(on_disk: Path) -> None:
    (on_disk / "data" / "audit" / "base" / "after.jsonl").unlink()
    with pytest.raises(DataError, match=r"base/after\.jsonl is missing"):
        load_run(on_disk, ["small", "base"])


def test_damaged_json_is_named(on_disk: Path) -> None:
    (on_disk / "data" / "suite" / "card.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=r"card\.json:1: not JSON"):
        load_run(on_disk, ["small"])


def test_run_without_control(on_disk: Path) -> None:
    (on_disk / "data" / "generations" / "base" / "control.jsonl").unlink()
    assert load_run(on_disk, ["base"]).students[0].variants == ("base", "distilled", "repaired")


def test_unevaluated_run_says_what_to_do(unevaluated: Run) -> None:
    with pytest.raises(DataError, match=r"'decision'.*dvc repro evaluate"):
        unevaluated.metric("decision", "small")


def test_label_defaults_to_simulated(on_disk: Path) -> None:
    assert load_run(on_disk, ["base"]).simulated
