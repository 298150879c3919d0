"""Provenance of metrics: derived from what ran, written beside the numbers, and what differs is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from dart.core import layout, params
from dart.core.errors import DataError
from dart.core.files import read_json, write_json
from dart.metrics.provenance import (
    KEY,
    Checkpoint,
    Party,
    Provenance,
    StudentOrigin,
    difference,
    evaluated_world,
    load_provenance,
    read_metrics,
    suite_digest,
    write_metrics,
    write_results,
)
from stages import provenance as stage
from tests.support import tiny_models

ROOT = Path(__file__).resolve().parents[2]
WORLD = Provenance(
    profile="paper",
    label="measured",
    suite="0" * 64,
    students=(StudentOrigin(slot="base", name="llama", model="meta/llama", revision="c0ffee"),),
    scorers={"toxicity": Checkpoint(model="s-nlp/roberta", revision="beef")},
    parties={"judge": Party(model="deepseek-chat", endpoint="https://api.example.org")},
)


def test_numbers_and_their_world_are_one_file_and_two_values(tmp_path: Path) -> None:
    path = tmp_path / "metrics" / "harm.json"
    write_metrics(path, {"base": {"median": 1.5}}, WORLD)
    assert read_metrics(path) == ({"base": {"median": 1.5}}, WORLD)
    write_json(path, {"base": {}})
    assert read_metrics(path) == ({"base": {}}, None)
    write_json(path, {KEY: {"profile": "paper"}})
    with pytest.raises(DataError, match=r"harm\.json: provenance: label: Field required"):
        read_metrics(path)


def test_what_dvc_shows_as_numbers_holds_numbers_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    numbers = {"base": {"accuracy": 0.5}}
    write_results({"metrics/headline.json": numbers, "metrics/harm.json": numbers, "plots/drift.json": []}, WORLD)
    assert read_json(Path("metrics/headline.json"), dict) == numbers
    assert read_json(Path("plots/drift.json"), list) == []
    assert read_json(Path("metrics/harm.json"), dict)[KEY]["students"][0]["revision"] == "c0ffee"


def test_a_difference_names_every_leaf_with_both_values() -> None:
    moved = WORLD.students[0].model_copy(update={"revision": "d00d"})
    other = WORLD.model_copy(update={"students": (moved,), "parties": {}})
    assert difference(WORLD, WORLD) == ""
    assert difference(WORLD, other) == (
        "students.base.revision c0ffee / d00d; parties.judge.model deepseek-chat / none; "
        "parties.judge.endpoint https://api.example.org / none"
    )
    assert "no provenance" in difference(WORLD, None)


def test_records_of_another_world_than_the_metrics_are_named(tmp_path: Path) -> None:
    assert evaluated_world(tmp_path) is None
    write_metrics(tmp_path / layout.metric("decision"), {}, WORLD)
    assert evaluated_world(tmp_path) == WORLD
    write_json(tmp_path / layout.PROVENANCE, {**WORLD.model_dump(mode="json"), "profile": "embedded"})
    with pytest.raises(DataError, match=r"different runs: profile paper / embedded\. Run `dvc repro evaluate`"):
        evaluated_world(tmp_path)


def test_the_digest_is_of_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("a", encoding="utf-8")
    first = suite_digest(tmp_path)
    (tmp_path / "card.json").write_text("b", encoding="utf-8")
    assert suite_digest(tmp_path) == first
    (tmp_path / "train.jsonl").rename(tmp_path / "test.jsonl")
    assert suite_digest(tmp_path) != first


def test_the_stage_records_checkpoints_by_their_bytes_and_hub_models_by_their_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("params.yaml", "profiles", "dvc.yaml", "ablations", "external"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    slots = params.check()[0].students
    for slot in slots[1:]:
        tiny_models.student(layout.base(slot))
    pinned = {"model": "meta/llama", "requested": "main", "revision": "c0ffee" * 6}
    write_json(layout.base(slots[0]) / "pin.json", pinned)
    for kind in ("toxicity", "hate"):
        tiny_models.classifier(layout.SCORERS / kind)
    (layout.SUITE / "test.jsonl").parent.mkdir(parents=True)
    (layout.SUITE / "test.jsonl").write_text("{}", encoding="utf-8")
    stage.run()
    world = load_provenance()
    assert (world.profile, world.label) == ("embedded", "simulated")
    assert [student.slot for student in world.students] == list(slots)
    assert world.students[0].revision == "c0ffee" * 6
    assert all(len(student.revision) == 12 for student in world.students[1:])
    assert world.suite == suite_digest(layout.SUITE)
    assert world.parties["second_judge"].model == "embedded-judge-2"
