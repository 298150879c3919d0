"""Each family goes the whole way: distil, answer, audit, repair, answer again, control; through the stages themselves.

Random weights write nonsense, so what is tested is the path: every record is there, in order and of the right
variant, and a judge that sees harm everywhere makes the drift cases that repair needs.
"""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import pytest

from dart.core import graph, layout, params
from dart.core.files import read_jsonl, write_json, write_jsonl
from dart.core.records import AuditRecord, Generation, Item, RepairTarget
from dart.core.schema.profile import SuiteSpec
from dart.student.adapter import WEIGHTS
from dart.student.loading import load
from dart.student.train import encode
from dart.suite.split import split_suite
from stages import audit, control, distill, generate, reaudit, regenerate, repair, targets, train, training
from tests.support import tiny_models

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (42, 3)


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
    assert profile.simulation is not None
    judge = profile.simulation.judge.model_copy(update={"invented": 1.0})
    return given, profile.model_copy(
        update={
            "seeds": SEEDS,
            "students": {family: tiny_models.spec(name=family) for family in tiny_models.FAMILIES},
            "simulation": profile.simulation.model_copy(update={"judge": judge}),
        }
    )


def _patch(patched: pytest.MonkeyPatch, folder: Path) -> None:
    """The stages in `folder` read these parameters, and the graph of this checkout."""
    patched.chdir(folder)
    patched.setenv("DART_CACHE_DIR", str(folder / "cache"))
    patched.setattr(params, "check", _given)
    stages = graph.stages(ROOT)
    patched.setattr(graph, "stages", lambda: stages)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Suite, scorer and rationales, which the families share."""
    from dart.simulation.suite import write_suite

    folder = tmp_path_factory.mktemp("world")
    given, _ = _given()
    sizes = {"source": "embedded", "sizes": {"default": {"train": 2, "validation": 2, "test": 2}}}
    suite = split_suite(write_suite(1).items, SuiteSpec.model_validate(sizes), given.split, 1)
    with pytest.MonkeyPatch.context() as patched:
        _patch(patched, folder)
        for split in ("train", "test"):
            write_jsonl(layout.SUITE / f"{split}.jsonl", getattr(suite, split))
        tiny_models.classifier(layout.SCORERS / "toxicity")
        for name in ("train", "generate", "repair", "regenerate", "control"):
            write_json(layout.CODE / f"{name}.json", {})
        distill.run()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(tiny_models.FAMILIES))
def test_a_family_goes_the_whole_way(
    family: str, started: Path, bases: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _patch(monkeypatch, started)
    shutil.copytree(bases[family], layout.base(family))
    for stage in (train, generate, audit, targets, repair, regenerate, control, reaudit):
        stage.run(family)

    items = [item.id for item in read_jsonl(layout.SUITE / "test.jsonl", Item)]
    answered = [("base", 42), *((name, seed) for name in ("distilled", "repaired", "control") for seed in SEEDS)]
    for variant, seed in answered:
        records = read_jsonl(layout.generations(family, variant, seed), Generation)
        assert [record.item_id for record in records] == items
        assert {record.variant for record in records} == {variant}
        assert all(record.toxicity is not None for record in records)
    for seed in SEEDS:
        before = read_jsonl(layout.audit(family, "before", seed), AuditRecord)
        drift = [record.item_id for record in before if record.severity]
        assert drift
        assert [target.item_id for target in read_jsonl(layout.targets(family, seed), RepairTarget)] == drift
        assert len(read_jsonl(layout.audit(family, "after", seed), AuditRecord)) == len(items)
    weights = {(layout.adapter(family, "repaired", seed) / WEIGHTS).read_bytes() for seed in SEEDS}
    assert len(weights) == len(SEEDS)

    settings = training.Stage3Params.load("repair", student=family)
    rows = training.recipe_set("published", family, 42, settings).rows
    student = load(layout.base(family), tiny_models.spec())
    end, bos = student.template.end_of_turn, student.tokenizer.bos_token_id
    for row, ids in zip(rows, encode(student, rows, 1024), strict=True):
        assert ids.ids[: ids.n_prompt] == student.template.prompt_ids(row.messages)  # as in inference
        assert len(ids.ids) > ids.n_prompt + 1
        assert ids.ids[-1] == end
        assert bos is None or ids.ids.count(bos) == 1
