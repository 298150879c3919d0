"""A model is what its bytes or its commit say, not what its name says."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError

from dart.core.errors import ModelError
from dart.core.hub import Source, pin, resolve, token

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def answering(monkeypatch: pytest.MonkeyPatch, answer: Any) -> list[dict[str, Any]]:
    """Let the hub answer with a commit or an error; returns what it was requests."""
    requests: list[dict[str, Any]] = []

    def model_info(_self: HfApi, model: str, **options: Any) -> Any:
        requests.append({"model": model, **options})
        if isinstance(answer, Exception):
            raise answer
        return type("Info", (), {"sha": answer})

    monkeypatch.setattr(HfApi, "model_info", model_info)
    return requests


def test_a_name_on_the_hub_is_pinned_to_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    requests = answering(monkeypatch, COMMIT)
    pin("owner/model", "main", tmp_path / "S")
    assert requests == [{"model": "owner/model", "revision": "main", "token": "hf_secret"}]
    content = (tmp_path / "S/pin.json").read_text()
    assert json.loads(content) == {"model": "owner/model", "requested": "main", "revision": COMMIT}
    assert resolve(tmp_path / "S") == Source("owner/model", COMMIT, "owner/model")
    assert "hf_secret" not in content


def test_without_a_key_in_the_environment_no_stored_login_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert token() is False


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("no route"),
        RepositoryNotFoundError("404", response=httpx.Response(404, request=httpx.Request("GET", "https://hub.test"))),
        OSError("offline"),
    ],
    ids=["network", "missing", "offline"],
)
def test_a_hub_that_does_not_answer_is_an_error_with_a_way_out(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, error)
    with pytest.raises(ModelError, match=r"owner/model at 'main'.*HF_TOKEN.*checkpoint folder"):
        pin("owner/model", "main", tmp_path / "S")
    assert not (tmp_path / "S").exists()


def test_an_id_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="neither a folder nor the id"):
        pin("models/of/mine", "main", tmp_path / "S")


def test_a_moved_revision_is_reported_with_both_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answering(monkeypatch, COMMIT)
    before = {"model": "owner/model", "requested": "main", "revision": "f" * 40}
    with caplog.at_level(logging.WARNING):
        pin("owner/model", "main", tmp_path / "S", previous=before)
        assert "f" * 40 in caplog.text
        assert COMMIT in caplog.text
        caplog.clear()
        pin("owner/model", "main", tmp_path / "S", previous={**before, "revision": COMMIT})
        pin("owner/model", "main", tmp_path / "S", previous={**before, "model": "owner/other"})
    assert caplog.text == ""


def test_a_folder_is_named_by_its_bytes(checkpoint: Path, tmp_path: Path) -> None:
    before = resolve(checkpoint)
    assert (before.path_or_id, before.name, len(before.revision)) == (str(checkpoint), "checkpoint", 12)
    (checkpoint / "model.safetensors").write_bytes(b"weightz")
    assert resolve(checkpoint).revision != before.revision
    (checkpoint / "model.safetensors").write_bytes(b"weights")
    (checkpoint / "chat_template.jinja").write_text("{{ messages }}")  # another prompt is another model
    assert resolve(checkpoint).revision != before.revision


def test_a_pinned_folder_must_not_change(checkpoint: Path, tmp_path: Path) -> None:
    pin(str(checkpoint), "main", tmp_path / "S")
    assert json.loads((tmp_path / "S/pin.json").read_text())["model"] == str(checkpoint)
    assert resolve(tmp_path / "S") == resolve(checkpoint)
    (checkpoint / "model.safetensors").write_bytes(b"other")
    with pytest.raises(ModelError, match="changed since it was pinned"):
        resolve(tmp_path / "S")


def test_a_folder_with_pickled_weights_only_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    (checkpoint / "model.safetensors").rename(checkpoint / "pytorch_model.bin")
    with pytest.raises(ModelError, match="pickle can run code"):
        resolve(checkpoint)


@pytest.mark.parametrize("content", [None, "{", "[]", '{"model": "m"}'])
def test_a_folder_that_names_no_model_is_an_error(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "pin.json").write_text(content)
    with pytest.raises(ModelError, match="dvc"):
        resolve(tmp_path)
