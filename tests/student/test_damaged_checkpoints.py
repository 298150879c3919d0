"""A damaged student or classifier is refused before anything is trained or scored, and the file is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from dart.core.errors import ModelError
from dart.core.schema.profile import ScorerSpec
from dart.harm.classifier import Classifier
from dart.student.checkpoints import cached_batch
from dart.student.loading import load
from tests.support import tiny_models

SCORER = ScorerSpec(model="tiny", revision="main", label="toxic", batch=4, max_length=64)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("whole")
    return {"student": tiny_models.student(folder / "s"), "classifier": tiny_models.classifier(folder / "c")}


def _load(kind: str, folder: Path) -> None:
    if kind == "student":
        load(folder, tiny_models.spec())
    else:
        Classifier.load(folder, SCORER)


def _cut(name: str, length: int | None = None) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2 if length is None else length])

    return damage


def _header(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[8:40] = b"\xff" * 32
    (folder / "model.safetensors").write_bytes(content)


def _config(**changes: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (folder / "config.json").write_text(json.dumps(config | changes), encoding="utf-8")

    return damage


def _without_a_weight(folder: Path) -> None:
    file = folder / "model.safetensors"
    weights = load_file(file)
    weights.pop(sorted(weights)[0])
    save_file(weights, file, metadata={"format": "pt"})


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "weights cut short": (_cut("model.safetensors"), r"model\.safetensors \(\d+ bytes, .*download it again"),
    "weights empty": (_cut("model.safetensors", 0), r"model\.safetensors \(0 bytes"),
    "header cut short": (_cut("model.safetensors", 100), r"model\.safetensors \(100 bytes"),
    "header overwritten": (_header, r"model\.safetensors \("),
    "another width": (_config(hidden_size=64), "cannot be loaded|size"),
    "a negative vocabulary": (_config(vocab_size=-1), "cannot be loaded"),
    "a text for a number": (_config(num_hidden_layers="two"), "cannot be loaded"),
    "more layers": (_config(num_hidden_layers=3), r"lacks \d+ weights"),
    "a weight is missing": (_without_a_weight, r"lacks \d weights"),
    "config cut short": (_cut("config.json"), "cannot be loaded"),
    "tokenizer cut short": (_cut("tokenizer.json"), "cannot be loaded"),
}


@pytest.mark.parametrize("kind", ["student", "classifier"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_one_message(kind: str, damage: str, whole: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole[kind], tmp_path / kind))
    _load(kind, folder)
    change, message = DAMAGES[damage]
    change(folder)
    with pytest.raises(ModelError, match=message) as error:
        _load(kind, folder)
    assert kind in str(error.value)
    assert len(str(error.value)) < 1500


def test_a_damaged_batch_of_a_generation_is_answered_again(tmp_path: Path) -> None:
    assert cached_batch(tmp_path, "batch", lambda: [[1]]) == [[1]]
    file = next(tmp_path.iterdir())
    for damaged in (b"[[1", b"\xff\xfe"):
        file.write_bytes(damaged)
        assert cached_batch(tmp_path, "batch", lambda: [[2]]) == [[2]]
