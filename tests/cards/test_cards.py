"""Cards and their publication: what they state, what the hub would refuse, what must not leave, and the push itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from huggingface_hub import DatasetCard, ModelCard

from dart.cards.publishing import plan
from dart.cards.validation import card_problems
from dart.cli.app import main
from tests.cards.conftest import PROMPT, REAL
from tests.support.fake_hub_uploads import upload_hub

Finished = Callable[..., Path]
HUB = Path("hub")
MODEL, ANSWERS, RUN = (f"dart-embedded-{name}" for name in ("base-repaired", "answers", "run"))


def _card(name: str) -> Path:
    return HUB / name / "README.md"


def _refusals(owner: str = "me") -> dict[str, tuple[str, ...]]:
    return {each.publication.name: each.problems for each in plan(HUB, owner)}


def test_an_adapters_card_states_its_numbers_with_intervals_for_readers_and_for_the_hub(finished: Finished) -> None:
    finished()
    assert main(["cards"]) == 0
    text = _card(MODEL).read_text(encoding="utf-8")
    card = ModelCard(text)
    results = {result.metric_type: result for result in card.data.eval_results}
    assert results["drift_rate"].metric_value == 0.05
    assert results["accuracy"].metric_args == {
        "n_items": 4, "n_seeds": 2, "confidence": 0.95, "label": "simulated", "low": pytest.approx(0.6),
        "high": pytest.approx(0.8),
    }  # fmt: skip
    assert (card.data.license, card.data.library_name, "simulated" in card.data.tags) == ("mit", "peft", True)
    assert "| accuracy, unparsed answers wrong | 0.300 [0.200, 0.400] | 0.600 [0.500, 0.700] | 0.700 [0.6" in text
    assert "+0.800 [+0.500, +1.100]" in text
    assert "| optimiser steps | 181 |" in text
    assert sorted(path.name for path in (HUB / MODEL).iterdir()) == [
        "README.md", "adapter_config.json", "adapter_model.safetensors", "base", "seed-3"
    ]  # fmt: skip


def test_a_base_of_the_hub_is_named_and_its_licence_is_not_replaced(finished: Finished) -> None:
    finished(model="meta-llama/Llama-3.2-3B-Instruct", nano=None)
    assert main(["cards", "--variant", "distilled"]) == 0
    data = ModelCard(_card("dart-embedded-base-distilled").read_text(encoding="utf-8")).data
    assert data.base_model == "meta-llama/Llama-3.2-3B-Instruct"
    assert (data.license, data.license_name) == ("other", "as Llama-3.2-3B-Instruct")
    assert data.license_link == "https://huggingface.co/meta-llama/Llama-3.2-3B-Instruct"
    assert not (HUB / "dart-embedded-base-distilled/base").exists()
    assert "was not repaired" in _card("dart-embedded-base-distilled").read_text(encoding="utf-8")
    assert any("read its terms" in warning for each in plan(HUB, "me") for warning in each.warnings)


def test_data_sets_say_what_their_files_are(finished: Finished) -> None:
    finished()
    assert main(["cards"]) == 0
    data = DatasetCard(_card(ANSWERS).read_text(encoding="utf-8")).data
    folders = {config["config_name"] for config in data.configs}
    assert folders == {path.name for path in (HUB / ANSWERS).iterdir() if path.is_dir()}
    rows = [json.loads(line) for line in (HUB / ANSWERS / "answers/base-repaired.jsonl").read_text().splitlines()]
    assert {row["seed"] for row in rows} == {42, 3}
    assert all(PROMPT in row["text"] for row in rows), "our own suite may be passed on"
    assert (HUB / RUN / "metrics/seeds.json").is_file()
    assert _refusals() == {MODEL: (), ANSWERS: (), RUN: ()}


def test_of_the_real_suite_no_text_is_written_and_none_that_is_added_is_pushed(
    finished: Finished, capsys: pytest.CaptureFixture[str]
) -> None:
    finished(REAL)
    assert main(["cards"]) == 0
    for path in HUB.rglob("*"):
        if path.is_file():
            assert PROMPT[:40].encode() not in path.read_bytes(), path
    assert not (HUB / ANSWERS / "items").exists()
    row = json.loads((HUB / ANSWERS / "answers/base-repaired.jsonl").read_text().splitlines()[0])
    assert {"item_id", "seed", "prediction", "toxicity"} <= row.keys()
    assert not {"text", "rationale"} & row.keys()
    assert "**Without texts.**" in _card(ANSWERS).read_text(encoding="utf-8")
    assert _refusals() == {MODEL: (), ANSWERS: (), RUN: ()}
    card = _card(MODEL)
    card.write_text(card.read_text(encoding="utf-8") + f"\nFor example: {PROMPT[10:80]}\n", encoding="utf-8")
    assert any("README.md repeats a prompt of the benchmark" in each for each in _refusals()[MODEL])
    assert main(["publish", "--owner", "me", "--push"]) == 1
    assert "REFUSED: README.md repeats a prompt of the benchmark" in capsys.readouterr().out
    assert main(["cards", "other", "--texts"]) == 1
    assert "must not be passed on" in capsys.readouterr().err


def test_without_the_benchmark_nobody_can_say_that_it_is_not_in_there(finished: Finished) -> None:
    root = finished(REAL)
    assert main(["cards"]) == 0
    (root / "data/suite/test.jsonl").unlink()
    assert all(any("publish from the checkout of the run" in each for each in found) for found in _refusals().values())


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("- simulated\n", "- measured\n", "the run is simulated, and the card does not say so"),
        ("> **Simulated.**", "> Measured.", "the run is simulated, and the card does not say so"),
        ("**Content warning.**", "", "there is no content warning"),
        ("license: mit\n", "", "license None is no id"),
        ("license: mit\n", "license: MIT\n", "license 'MIT' is no id"),
        ("\n## Limits\n", "\n## Caveats\n", "there is no section '## Limits'"),
        ("value: 0.05\n", "value: .nan\n", "which is no finite number"),
        ("language: en", "language: English", "language 'English' is no ISO 639 code"),
        ("model-index:", "model-index: [1]\nother:", "the front matter is none that huggingface_hub reads"),
    ],
)  # fmt: skip
def test_a_card_that_was_edited_is_refused_by_what_it_lacks(
    finished: Finished, before: str, after: str, problem: str
) -> None:
    finished()
    assert main(["cards"]) == 0
    text = _card(MODEL).read_text(encoding="utf-8")
    assert card_problems(text, "model", simulated=True) == []
    assert before in text
    _card(MODEL).write_text(text.replace(before, after, 1), encoding="utf-8")
    assert any(problem in each for each in _refusals()[MODEL]), _refusals()[MODEL]


def test_only_what_was_written_is_pushed(finished: Finished) -> None:
    finished()
    assert main(["cards"]) == 0
    (HUB / MODEL / "notes.txt").write_text("mine", encoding="utf-8")
    (HUB / RUN / "metrics/seeds.json").write_text("{}", encoding="utf-8")
    (HUB / ANSWERS / "items/test.jsonl").unlink()
    found = _refusals()
    assert found[MODEL] == ("notes.txt was not written by `dart cards`",)
    assert found[RUN] == ("metrics/seeds.json was changed since `dart cards` wrote it",)
    assert found[ANSWERS] == ("items/test.jsonl is missing",)


def test_keys_are_refused_and_addresses_are_named(finished: Finished) -> None:
    root = finished()
    file = root / "profiles/embedded.yaml"
    profile = yaml.safe_load(file.read_text(encoding="utf-8"))
    profile["judge"]["model"] = "/home/someone/judge"
    file.write_text(yaml.safe_dump(profile) + f"# sk-{'x' * 24} http://10.1.2.3:8000/v1\n", encoding="utf-8")
    assert main(["cards"]) == 0
    run = next(each for each in plan(HUB, "me") if each.publication.name == RUN)
    assert run.problems == ("profiles/embedded.yaml holds what looks like a key",)
    assert len(run.warnings) == 2
    assert "names a path of this machine: /home/someone/judge" in run.warnings[0]


def test_cards_overwrite_their_own_folder_alone(finished: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    finished()
    Path("mine").mkdir()
    assert main(["cards", "mine"]) == 1
    assert "was not written by `dart cards`" in capsys.readouterr().err
    assert main(["cards"]) == main(["cards"]) == 0
    assert main(["publish", "mine"]) == 1
    assert "Run `dart cards mine` first" in capsys.readouterr().err


def test_without_push_nothing_is_sent_and_with_it_every_byte(
    finished: Finished, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finished()
    assert main(["cards"]) == 0
    with upload_hub() as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.endpoint)
        monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", hub.endpoint)
        monkeypatch.setenv("HF_TOKEN", "hf_of_a_test")
        assert main(["publish", "--owner", "me"]) == 0
        assert hub.paths == []
        shown = capsys.readouterr().out
        assert f"model    me/{MODEL}  11 files" in shown
        assert "nothing was sent; --push pushes" in shown
        assert main(["publish", "--push"]) == 1
        assert "--push needs --owner" in capsys.readouterr().err
        assert main(["publish", "--owner", "me", "--push"]) == 0
    assert hub.private == {f"models/me/{MODEL}": True, f"datasets/me/{ANSWERS}": True, f"datasets/me/{RUN}": True}
    assert hub.tokens - {""} == {"Bearer hf_of_a_test"}
    for name, files in hub.files.items():
        folder = HUB / name.rpartition("/")[2]
        assert files == {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert f'"me/{MODEL}", subfolder="base"' in _card(MODEL).read_text(encoding="utf-8")


def test_a_hub_that_refuses_ends_with_what_was_pushed_before(
    finished: Finished, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finished()
    assert main(["cards"]) == 0
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert main(["publish", "--owner", "me", "--push"]) == 1
    assert "needs HF_TOKEN" in capsys.readouterr().err
    with upload_hub(refuse=ANSWERS) as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.endpoint)
        monkeypatch.setenv("HF_TOKEN", "hf_of_a_test")
        assert main(["publish", "--owner", "me", "--push", "--public"]) == 1
    error = capsys.readouterr().err
    assert f"The hub refused me/{ANSWERS}" in error
    assert f"Pushed before: {hub.endpoint}/me/{MODEL}/commit/" in error
    assert hub.private == {f"models/me/{MODEL}": False}
