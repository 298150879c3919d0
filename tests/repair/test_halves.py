"""Halves of the test set: every prompt is answered by a training that did not repair it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dart.ablations.perturbations import half_of
from dart.core import layout
from dart.core.files import read_jsonl, write_jsonl
from dart.core.records import Generation, Item
from dart.core.schema.method import RecipeComparison, SampledAnswers
from stages import recipes
from stages.recipes import train
from tests.support.drift_records import answer

COMPARISON = RecipeComparison(
    halves=("published", "mended"), sampled=SampledAnswers(prompts=0, answers=1, temperature=1.0),
    task_arithmetic_weights=(2.0,),
)  # fmt: skip
ITEMS = [
    Item(id=f"D1-{n}", benchmark="D1", condition="DIFF", gold="YES", prompt=f"Q {n}?", scenario=str(n))
    for n in range(6)
]
NAMES = ("mended", "own", "sham")


def test_each_prompt_is_answered_by_a_repair_of_the_other_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_jsonl(layout.split("test"), ITEMS)
    trained: dict[Path, frozenset[str]] = {}

    def fake_train(params: Any, student: str, name: str, seed: int, results: Any, half: frozenset[str]) -> Path:
        path = Path(f"{name}-{seed}-{len(trained)}")
        trained[path] = half
        return path

    def fake_answers(results: Any, base: Any, spec: Any, requests: Mapping[str, Any], *_: Any) -> dict[str, Any]:
        for of_variant in requests.values():
            asked = {request.item.id for request in of_variant.requests}
            assert asked
            assert not asked & trained[of_variant.adapter]
        return {
            name: [answer(request.item.id) for request in reversed(of_variant.requests)]
            for name, of_variant in requests.items()
        }

    def unscored(generations: Sequence[Generation], _classifier: Any) -> list[Generation]:
        return list(generations)

    for name, fake in (("_train", fake_train), ("answer_once", fake_answers), ("score_generations", unscored)):
        monkeypatch.setattr(train, name, fake)
    settings = SimpleNamespace(
        recipes={"small": NAMES}, recipe_comparison=COMPARISON, seeds=(1, 2), seed=7, student=None, generation=None
    )
    train._answer_halves(
        cast("Any", settings), "small", cast("Any", None), layout.recipe_answers("small"), cast("Any", None)
    )
    files = recipes.answer_files("small", "halves", NAMES, (1, 2), COMPARISON)
    for variant in ("repaired", "mended"):
        for seed in (1, 2):
            answers = read_jsonl(files[variant, seed], Generation)
            assert [each.item_id for each in answers] == [item.id for item in ITEMS]
    assert set(trained.values()) == {frozenset(half_of(ITEMS, half, 7)) for half in ("first", "second")}
    assert {variant for variant, _ in files} == {"base", "distilled", "control", "repaired", "mended", "own"}
    assert files["own", 1] == layout.recipe_answers("small") / "test" / "own" / "seed-1.jsonl"
    assert files["control", 1] == layout.generations("small", "control", 1)
