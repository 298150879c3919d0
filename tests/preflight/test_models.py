"""What would fail at generate@S after the teacher was paid is a line of a check, with its way out."""

from __future__ import annotations

import json
from collections import namedtuple
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from huggingface_hub import HfApi
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

from dart.core.schema.profile import Guard, LocalGuard, ScorerSpec
from dart.preflight import models
from tests.support import tiny_models

Sibling = namedtuple("Sibling", "rfilename size")
GIB = models.GIB


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.student(tmp_path_factory.mktemp("student"))


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.classifier(tmp_path_factory.mktemp("classifier"))


def scorer(folder: Path, label: str = "toxic") -> ScorerSpec:
    return ScorerSpec(model=str(folder), revision="main", label=label, batch=8, max_length=64)


def without(folder: Path, target: Path, *names: str) -> Path:
    target.mkdir()
    for file in folder.iterdir():
        if file.name not in names:
            (target / file.name).write_bytes(file.read_bytes())
    return target


def test_a_usable_checkpoint_is_fine(student: Path, classifier: Path) -> None:
    assert [finding.level for finding in models.check_student("base", tiny_models.spec(model=str(student)))] == ["ok"]
    assert [finding.level for finding in models.check_scorer("toxicity", scorer(classifier))] == ["ok"]


def test_a_guard_of_this_machine_is_looked_at(student: Path, classifier: Path, tmp_path: Path) -> None:
    dropping = tmp_path / "dropping.jinja"
    dropping.write_text("nothing of it", encoding="utf-8")

    def check(format_: str, folder: Path, **more: Any) -> tuple[str, str]:
        local = LocalGuard(model=str(folder), revision=None, **more)
        (finding,) = models.check_guard("mine", Guard.model_validate({"format": format_, "local": local}))
        return finding.level, finding.text

    assert check("classifier", classifier, labels=("toxic",))[0] == "ok"
    assert check("llama_guard", student) == ("ok", "0.0 GiB of safetensors, the chat template shows an exchange")
    level, text = check("classifier", classifier, labels=("neutral", "Toxic"))
    assert (level, "no class called 'Toxic'" in text) == ("problem", True)
    level, text = check("shield_gemma", student, chat_template=str(dropping))
    assert (level, "leaves the texts out" in text) == ("problem", True)
    level, text = check("llama_guard", without(student, tmp_path / "bare", "model.safetensors"))
    assert (level, "no *.safetensors file" in text) == ("problem", True)


def test_a_tuned_student_is_looked_at_beside_its_base(student: Path, tmp_path: Path) -> None:
    folders = {"whole": student, "empty": without(student, tmp_path / "empty", "model.safetensors")}
    for name, levels in (("whole", ["ok", "ok"]), ("empty", ["ok", "problem"])):
        tuned = {"kind": "checkpoint", "model": str(folders[name]), "revision": None}
        found = models.check_student("base", tiny_models.spec(model=str(student), distilled=tuned))
        assert [finding.level for finding in found] == levels
        assert found[-1].subject == f"slot base, distilled, {folders[name]}"


@pytest.mark.parametrize(("template", "words"), [
    (None, "chat template"), ("{% if %}", "chat template"), ("", "chat template"), ("{{ not.there }}", "template"),
])  # fmt: skip
def test_a_template_that_cannot_be_used_is_named(
    template: str | None, words: str, student: Path, tmp_path: Path
) -> None:
    folder = without(student, tmp_path / "s", "chat_template.jinja")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)
    [finding] = models.check_student("base", tiny_models.spec(model=str(folder)))
    assert finding.level == "problem"
    assert words in finding.text


def test_weights_and_labels_are_looked_for(student: Path, classifier: Path, tmp_path: Path) -> None:
    folder = without(student, tmp_path / "s", "model.safetensors")
    [finding] = models.check_student("base", tiny_models.spec(model=str(folder)))
    assert "safetensors" in finding.text
    [finding] = models.check_scorer("toxicity", scorer(classifier, "Toxic"))
    assert finding.level == "problem"
    assert "'toxic'" in finding.text


def hub(monkeypatch: pytest.MonkeyPatch, siblings: list[Sibling], error: type[Exception] | None = None) -> None:
    """A hub that knows every model, and gives access to its files unless there is an `error`."""

    def model_info(_self: HfApi, model: str, **_: Any) -> Any:
        return type("Info", (), {"sha": "0" * 40, "siblings": siblings})

    def metadata(*_: Any, **__: Any) -> None:
        if error is not None:
            response = httpx.Response(403, request=httpx.Request("HEAD", "https://hub.example"))
            raise error("no", response=response)  # type: ignore[call-arg]

    monkeypatch.setattr(HfApi, "model_info", model_info)
    monkeypatch.setattr(models, "get_hf_file_metadata", metadata)


@pytest.mark.parametrize(("siblings", "error", "words"), [
    ([Sibling("model.safetensors", GIB)], GatedRepoError, "accept it on the model's page"),
    ([Sibling("model.safetensors", GIB)], RepositoryNotFoundError, "HF_TOKEN"),
    ([Sibling("pytorch_model.bin", GIB)], None, "refs/pr/"),
])  # fmt: skip
def test_access_and_weights_on_the_hub(
    siblings: list[Sibling], error: type[Exception] | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub(monkeypatch, siblings, error)
    [finding] = models.check_student("base", tiny_models.spec(model="owner/model"))
    assert finding.level == "problem"
    assert words in finding.text


def test_memory_is_compared_with_the_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 16 * GIB  # 8 billion parameters
    checkpoint = models.Checkpoint("x", {}, size, True)
    spec = tiny_models.spec(precision="bf16")
    assert models._memory("x", spec, checkpoint)[0].level == "warning", "no GPU here"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for total, levels in {24: ("ok", "ok", "problem"), 12: ("problem", "ok", "problem"), 6: ("problem",) * 3}.items():
        device = type("Device", (), {"total_memory": total * GIB})
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index, device=device: device)
        slots = [spec, tiny_models.spec(precision="bf16", quantize="nf4"), tiny_models.spec(precision="fp32")]
        assert tuple(models._memory("x", slot, checkpoint)[0].level for slot in slots) == levels


def test_a_full_disk_is_seen_before_the_download(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("Usage", "free")
    monkeypatch.setattr(models.shutil, "disk_usage", lambda folder: usage(GIB))
    [finding] = models._disk("x", models.Checkpoint("owner/model", {}, 16 * GIB, False))
    assert "HF_HOME" in finding.text
    assert models._disk("x", models.Checkpoint("owner/model", {}, 16 * GIB, True)) == []
