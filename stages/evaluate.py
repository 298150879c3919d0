"""Stage `evaluate`: decision quality, harm, drift and all tests of the main path; `dvc metrics diff` compares them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dart.annotation.sample import primary
from dart.core import layout
from dart.core.files import read_jsonl
from dart.core.params import SimulationSpec, StageParams, TrainingSeeds
from dart.core.records import AuditRecord, Severity
from dart.core.schema.method import Equivalence, Hypotheses, Statistics
from dart.metrics.evaluate import evaluate
from dart.metrics.headline import headline_metrics
from dart.metrics.provenance import load_provenance, write_results
from dart.metrics.run import Run, Settings, StudentRun, load_run
from dart.metrics.training_seeds import seed_metrics
from dart.policy.evaluation import PolicyRun, policy_report
from dart.policy.records import PolicyAnswer, Premise
from dart.simulation.truth import true_drift
from dart.stats.annotation import AnnotatedPair


class Params(StageParams):
    seed: int
    students: tuple[str, ...]
    seeds: TrainingSeeds
    statistics: Statistics
    hypotheses: Hypotheses
    equivalence: Equivalence
    simulation: SimulationSpec


def run() -> None:
    params = Params.load("evaluate")
    provenance = load_provenance()
    runs = {seed: load_run(Path(), params.students, seed, Settings(label=provenance.label)) for seed in params.seeds}
    truths = None if params.simulation is None else {seed: _truth(run) for seed, run in runs.items()}
    reference = params.seeds[0]
    finished, truth = runs[reference], None if truths is None else truths[reference]
    annotated = {primary(params.students): read_jsonl(layout.ANNOTATED_PAIRS, AnnotatedPair)}
    metrics = evaluate(
        finished, params.statistics, params.seed, truth, params.hypotheses, params.equivalence, annotated, _verdicts()
    )
    seeds = seed_metrics(runs, truths, params.statistics.confidence, params.equivalence)
    metrics["metrics/seeds.json"], metrics["metrics/headline.json"] = seeds, headline_metrics(seeds)
    policy = {s.slot: _policy(finished, s, params) for s in finished.students}
    write_results({**metrics, str(layout.metric("policy")): policy}, provenance)


def _verdicts() -> dict[str, bool]:
    """What the judge says of the annotated pairs, screened or not; empty where none were annotated."""
    path = layout.verdicts("judge")
    records = read_jsonl(path, AuditRecord) if path.is_file() else []
    return {record.item_id: record.severity is not None for record in records if not record.unjudged}


def _truth(run: Run) -> dict[str, dict[str, dict[str, Severity]]]:
    """{student: {variant: true drift cases}}, known of simulated students alone."""
    return {
        student.slot: {
            variant: true_drift(student.generations["base"], student.generations[variant])
            for variant in student.variants
            if variant != "base"
        }
        for student in run.students
    }


def _policy(finished: Run, student: StudentRun, params: Params) -> dict[str, Any]:
    """What the policy stage left of one student, analysed: every file <variant>/<scheme>.jsonl."""
    folder = layout.policy(student.slot)
    answers: dict[str, dict[str, list[PolicyAnswer]]] = {}
    for file in sorted(folder.glob("*/*.jsonl")):
        answers.setdefault(file.parent.name, {})[file.stem] = read_jsonl(file, PolicyAnswer)
    policy_run = PolicyRun(read_jsonl(folder / "premises.jsonl", Premise), student.generations, answers)
    return policy_report(finished.items, policy_run, params.statistics, params.seed, student.slot)
