"""Stage `recipes`: every recipe beside repair and control, per training seed, on test and validation set (Table R)."""

from __future__ import annotations

from typing import Annotated

from dart.core import layout
from dart.core.files import read_jsonl
from dart.core.params import FromParams, SimulationSpec, StageParams, TrainingSeeds
from dart.core.records import AuditRecord, Generation, Item
from dart.core.schema.method import Equivalence, RecipeName, Recipes
from dart.metrics.provenance import load_provenance, write_metrics
from dart.metrics.recipes import Answered, BySeed, recipe_metrics
from dart.simulation.truth import true_drift
from stages.recipes import SPLITS, answer_files


class Params(StageParams):
    students: tuple[str, ...]
    seeds: TrainingSeeds
    recipes: Recipes
    equivalence: Equivalence
    confidence: Annotated[float, FromParams("statistics.confidence")]
    simulation: SimulationSpec


def run() -> None:
    params = Params.load("recipes")
    items = {split: read_jsonl(layout.split(split), Item) for split in SPLITS}
    students = {
        student: recipe_metrics(
            items,
            {split: _runs(params, student, split, names) for split in SPLITS},
            params.equivalence.accuracy,
            params.confidence,
        )
        for student in params.students
        if (names := params.recipes.get(student, ()))
    }
    content = {"seeds": list(params.seeds), "screen": "change", "students": students}
    write_metrics(layout.METRICS / "recipes.json", content, load_provenance())


def _runs(params: Params, student: str, split: str, names: tuple[RecipeName, ...]) -> BySeed:
    files = answer_files(student, split, names, params.seeds)
    base = read_jsonl(files.pop(("base", None)), Generation)
    runs: dict[int, dict[str, Answered]] = {seed: {} for seed in params.seeds}
    for (variant, seed), file in files.items():
        assert seed is not None  # base alone has none
        answers = read_jsonl(file, Generation)
        records = read_jsonl(layout.recipe_audits(student) / split / variant / file.name, AuditRecord)
        true = None if params.simulation is None else true_drift(base, answers)
        runs[seed][variant] = Answered(answers, records, true)
    return runs
