"""Stage `recipes`: every recipe beside repair and control, per training seed, on test and validation set (Table R)."""

from __future__ import annotations

from typing import Annotated

from dart.core import layout
from dart.core.files import read_jsonl
from dart.core.params import FromParams, SimulationSpec, StageParams, TrainingSeeds
from dart.core.records import AuditRecord, Generation
from dart.core.schema.method import Equivalence, RecipeComparison, RecipeName, Recipes
from dart.metrics.provenance import load_provenance, write_metrics
from dart.metrics.recipes import Answered, BySeed, recipe_metrics
from dart.repair.comparison import weighted_variants
from dart.simulation.truth import true_drift
from stages.recipes import answer_files, items_of, splits_of


class Params(StageParams):
    students: tuple[str, ...]
    seed: int
    seeds: TrainingSeeds
    recipes: Recipes
    recipe_comparison: RecipeComparison
    equivalence: Equivalence
    confidence: Annotated[float, FromParams("statistics.confidence")]
    simulation: SimulationSpec


def run() -> None:
    params = Params.load("recipes")
    splits = splits_of(params.recipe_comparison)
    items = {split: items_of(split, params.recipe_comparison, params.seed) for split in splits}
    students = {
        student: recipe_metrics(
            items,
            {split: _runs(params, student, split, names) for split in splits},
            params.equivalence.accuracy,
            params.confidence,
            weighted_variants(params.recipe_comparison) if "task_arithmetic" in names else None,
        )
        for student in params.students
        if (names := params.recipes.get(student, ()))
    }
    content = {"seeds": list(params.seeds), "screen": "change", "students": students}
    write_metrics(layout.METRICS / "recipes.json", content, load_provenance())


def _runs(params: Params, student: str, split: str, names: tuple[RecipeName, ...]) -> BySeed:
    files = answer_files(student, split, names, params.seeds, params.recipe_comparison)
    base = read_jsonl(files.pop(("base", None)), Generation)
    runs: dict[int, dict[str, Answered]] = {seed: {} for seed in params.seeds}
    for (variant, seed), file in files.items():
        assert seed is not None  # base alone has none
        answers = read_jsonl(file, Generation)
        records = read_jsonl(layout.recipe_audits(student) / split / variant / file.name, AuditRecord)
        true = None if params.simulation is None else true_drift(base, answers)
        runs[seed][variant] = Answered(answers, records, true)
    return runs
