"""Each family goes the whole way: distil, answer, audit, repair, answer again, control; through the stages themselves.

Random weights write nonsense, so what is tested is the path: every record is there, in order and of the right
variant, and a judge that sees harm everywhere makes the drift cases that repair needs.
"""

from __future__ import annotations

import functools
import shutil
from pathlib import Path
from typing import Any

import pytest

from dart.core import layout, params
from dart.core.files import read_jsonl, write_jsonl
from dart.core.records import AuditRecord, Generation, Item, RepairTarget
from dart.core.schema.profile import SuiteSpec
from dart.student.loading import load
from dart.student.train import encode
from dart.suite.split import split_suite
from stages import audit, continuing, control, distill, generate, regenerate, repair, targets, train
from tests.support import tiny_models

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def _given() -> tuple[params.Params, params.Profile]:
    given, profile = params.check(ROOT, "embedded")
    given = given.model_copy(
        update={
            "students": tuple(tiny_models.FAMILIES),
            "training": given.training.model_copy(update={"epochs": 1}),
            "generation": given.generation.model_copy(update={"max_new_tokens": 10}),
            "tau_delta": -1.0,  # every pair is shown to the judge
        }
    )
    assert profile.world is not None
    judge = profile.world.judge.model_copy(update={"invented": 1.0})
    return given, profile.model_copy(
        update={
            "students": {family: tiny_models.spec(name=family) for family in tiny_models.FAMILIES},
            "world": profile.world.model_copy(update={"judge": judge}),
        }
    )


def _stage_params(stage: str) -> params.StageParams:
    """Every parameter, as if the stage had declared them all; that it has is the graph's test."""
    given, profile = _given()
    declared: dict[str, Any] = {name: {} for name in (*params.Params.model_fields, *params.Profile.model_fields)}
    declared["students"] = {family: {} for family in tiny_models.FAMILIES}
    return params.StageParams(stage, given, profile, declared)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Suite, scorer and rationales, which the families share."""
    from dart.simulation.suite import write_suite

    folder = tmp_path_factory.mktemp("world")
    given, _ = _given()
    sizes = {"source": "embedded", "sizes": {"default": {"train": 2, "validation": 2, "test": 2}}}
    suite = split_suite(write_suite(1).items, SuiteSpec.model_validate(sizes), given.split, 1)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setenv("DART_CACHE_DIR", str(folder / "cache"))
        patched.setattr(params, "load", _stage_params)
        for split in ("train", "test"):
            write_jsonl(layout.SUITE / f"{split}.jsonl", getattr(suite, split))
        tiny_models.classifier(layout.SCORERS / "toxicity")
        distill.run()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(tiny_models.FAMILIES))
def test_a_family_goes_the_whole_way(
    family: str, started: Path, bases: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(started)
    monkeypatch.setenv("DART_CACHE_DIR", str(started / "cache"))
    monkeypatch.setattr(params, "load", _stage_params)
    shutil.copytree(bases[family], layout.base(family))
    for stage in (train, generate, audit, targets, repair, regenerate, control):
        stage.run(family)

    items = [item.id for item in read_jsonl(layout.SUITE / "test.jsonl", Item)]
    for variant in ("base", "distilled", "repaired", "control"):
        records = read_jsonl(layout.generations(family, variant), Generation)
        assert [record.item_id for record in records] == items
        assert {record.variant for record in records} == {variant}
        assert all(record.toxicity is not None for record in records)
    drift = [record.item_id for record in read_jsonl(layout.audit(family, "before"), AuditRecord) if record.severity]
    assert drift
    assert [target.item_id for target in read_jsonl(layout.targets(family), RepairTarget)] == drift
    assert len(read_jsonl(layout.audit(family, "after"), AuditRecord)) == len(items)

    rows = continuing.repair_rows(family, _given()[0].severity_weights)
    student = load(layout.base(family), tiny_models.spec())
    end, bos = student.template.end_of_turn, student.tokenizer.bos_token_id
    for row, ids in zip(rows, encode(student, rows, 1024), strict=True):
        assert ids.ids[: ids.n_prompt] == student.template.prompt_ids(row.messages)  # as in inference
        assert len(ids.ids) > ids.n_prompt + 1
        assert ids.ids[-1] == end
        assert bos is None or ids.ids.count(bos) == 1
