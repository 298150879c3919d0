"""Adapters of anybody: what they say of their base is compared, completed where it is missing, and never replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dart.audit.models import load_models
from dart.audit.sources import ModelSource
from dart.core import hub
from dart.core.errors import ModelError
from dart.core.tuned import CONFIG, WEIGHTS
from dart.student.adapter import check_base

BASE = Path(__file__).resolve().parents[1] / "fixtures" / "nano"


def adapter(folder: Path, base: str, revision: str | None) -> ModelSource:
    folder.mkdir()
    (folder / CONFIG).write_text(json.dumps({"base_model_name_or_path": base, "revision": revision}), encoding="utf-8")
    (folder / WEIGHTS).write_bytes(b"weights")
    return ModelSource(str(folder), "main", is_adapter=True)


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.parametrize(("stated", "is_noted"), [("lab/nano", False), ("lab/llama", True)])
def test_an_adapter_without_a_commit_gets_the_commit_of_the_base(stated: str, is_noted: bool, tmp_path: Path) -> None:
    base = ModelSource(str(BASE), "main", is_adapter=False)
    tuned = load_models({"tuned": adapter(tmp_path / "mine", stated, "main")}, base)["tuned"]
    assert tuned.adapter is not None
    assert tuned.adapter != tmp_path / "mine", "somebody's adapter is never written to"
    assert json.loads((tuned.adapter / CONFIG).read_text())["revision"] == hub.resolve(BASE).revision
    assert (tuned.adapter / WEIGHTS).read_bytes() == b"weights"
    assert (f"trained on {stated}" in tuned.note) is is_noted


def test_an_adapter_of_another_commit_stays_as_it_is_and_its_load_refuses_it(tmp_path: Path) -> None:
    base = ModelSource(str(BASE), "main", is_adapter=False)
    tuned = load_models({"tuned": adapter(tmp_path / "mine", "lab/nano", "a" * 40)}, base)["tuned"]
    assert tuned.adapter == tmp_path / "mine"
    with pytest.raises(ModelError, match="was trained on"):
        check_base(hub.resolve(BASE), tuned.adapter)


def test_an_adapter_whose_base_is_nowhere_asks_for_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"neither a folder here nor a model of the hub\. Give the base"):
        load_models({"tuned": adapter(tmp_path / "mine", "nano", None)}, None)
