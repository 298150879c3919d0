"""A tuned student as the distilled one: refused on another base, continued with its own settings, fetched by commit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dart.core.errors import ModelError
from dart.core.hub import pin, resolve
from dart.core.records import Item, PreferencePair, TrainingRow
from dart.core.schema.method import GenerationParams, Lora, Training
from dart.core.schema.profile import DistilledStudent
from dart.student import adapter
from dart.student.generation import generate
from dart.student.kl_anchor import KLAnchor
from dart.student.preference import train_preference
from dart.student.task_arithmetic import combine_adapters
from dart.student.train import train_adapter
from dart.student.tuned_student import write_distilled
from tests.support import tiny_models
from tests.support.fake_hub import HubModel, fake_hub
from tests.support.tiny_models import spec

pytestmark = pytest.mark.training

COMMIT = "f" * 40
NAMES = {42: "seed-42", 3: "seed-3"}
GREEDY = GenerationParams(max_new_tokens=8, temperature=0.0, top_p=1.0)


@pytest.fixture(scope="module")
def theirs(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An adapter with another rank, scale, dropout and modules than params.yaml has."""
    out = tmp_path_factory.mktemp("theirs") / "adapter"
    other = lora.model_copy(update={"r": 2, "alpha": 8, "dropout": 0.0, "target_modules": ("q_proj", "v_proj")})
    train_adapter(base, spec(), rows, other, training, 1, out)
    return out


def _tuned(kind: str, folder: Path) -> DistilledStudent:
    return DistilledStudent.model_validate({"kind": kind, "model": str(folder), "revision": None})


def test_an_adapter_is_copied_for_every_seed_and_continued_with_its_own_settings(
    base: Path, theirs: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path
) -> None:
    write_distilled(_tuned("adapter", theirs), base, spec(), lora, NAMES, tmp_path / "distilled")
    folders = [tmp_path / "distilled" / name for name in NAMES.values()]
    assert [adapter.fingerprint(folder) for folder in folders] == [adapter.fingerprint(theirs)] * 2
    train_adapter(base, spec(), rows, lora, training, 3, tmp_path / "repaired", start_from=folders[1])
    config = json.loads((tmp_path / "repaired" / adapter.CONFIG).read_text())
    assert (config["r"], config["lora_alpha"], config["target_modules"]) == (2, 8, ["q_proj", "v_proj"])
    assert "| LoRA | r 2, alpha 8, dropout 0.0, q_proj, v_proj |" in (tmp_path / "repaired/README.md").read_text()
    train_adapter(base, spec(), rows, lora, training, 3, tmp_path / "again", start_from=tmp_path / "repaired")
    assert (tmp_path / "again" / adapter.ORIGIN).is_file(), "what continues a repair is still theirs"


def test_an_adapter_of_other_weights_under_the_same_name_is_refused(theirs: Path, lora: Lora, tmp_path: Path) -> None:
    other = tiny_models.student(tmp_path / "other", "llama", seed=5)
    with pytest.raises(ModelError, match=r"was trained on tiny at [0-9a-f]{12}, and the slot's base is other at"):
        write_distilled(_tuned("adapter", theirs), other, spec(), lora, NAMES, tmp_path / "distilled")


def test_an_adapter_of_the_hub_comes_from_its_commit(
    base: Path, theirs: Path, lora: Lora, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned = DistilledStudent(kind="adapter", model="me/tuned", revision=COMMIT)
    with fake_hub({"me/tuned": HubModel(theirs, COMMIT)}) as hub:
        template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
        write_distilled(tuned, base, spec(), lora, NAMES, tmp_path / "distilled")
        assert {revision for _, revision, _ in hub.requests} == {COMMIT}
        assert not [file for *_, file in hub.requests if file == "README.md"], "nothing but the adapter is downloaded"
        gone = tuned.model_copy(update={"revision": "e" * 40})
        with pytest.raises(ModelError, match=r"me/tuned at e{40} cannot be downloaded"):
            write_distilled(gone, base, spec(), lora, NAMES, tmp_path / "gone")
    assert adapter.fingerprint(tmp_path / "distilled/seed-3") == adapter.fingerprint(theirs)


def test_a_checkpoint_answers_as_itself_and_every_objective_continues_it(
    base: Path, bases: dict[str, Path], rows: list[TrainingRow], items: Sequence[Item], lora: Lora, training: Training,
    tmp_path: Path,
) -> None:  # fmt: skip
    """It has another architecture here, so that answers on the slot's base would not even load."""
    checkpoint = bases["qwen2"]
    write_distilled(_tuned("checkpoint", checkpoint), base, spec(), lora, NAMES, tmp_path / "distilled")
    start = tmp_path / "distilled/seed-3"
    assert resolve(start).path_or_id == str(checkpoint)
    pin(str(checkpoint), "main", tmp_path / "pin")
    itself = generate(tmp_path / "pin", spec(), {"base": None}, items, GREEDY, 0)["base"]
    variants = {"base": None, "distilled": start}
    answers = generate(base, spec(), variants, items, GREEDY, 0)
    assert [answer.text for answer in answers["distilled"]] == [answer.text for answer in itself]
    assert [answer.text for answer in answers["base"]] != [answer.text for answer in itself]
    train_adapter(base, spec(), rows, lora, training, 3, tmp_path / "sft", start_from=start)
    anchor = KLAnchor(1.0, start, [], training.max_length)
    train_adapter(base, spec(), rows, lora, training, 3, tmp_path / "kl", start_from=start, steps=2, regulariser=anchor)
    pairs = [PreferencePair(key=row.key, messages=row.messages, chosen=row.response, rejected="No.") for row in rows]
    train_preference(base, spec(), pairs, lora, training, "dpo", 0.1, 3, tmp_path / "dpo", start, 2)
    combine_adapters(base, spec(), start, tmp_path / "sft", 1.5, tmp_path / "arithmetic")
    for name in ("sft", "kl", "dpo", "arithmetic"):
        assert resolve(tmp_path / name).path_or_id == str(checkpoint)
        trained = load_file(tmp_path / name / adapter.WEIGHTS)
        assert any(bool(torch.any(value)) for key, value in trained.items() if "lora_B" in key)
    repaired = {"repaired": tmp_path / "sft"}
    assert [a.text for a in generate(base, spec(), repaired, items, GREEDY, 0)["repaired"]] != [a.text for a in itself]
