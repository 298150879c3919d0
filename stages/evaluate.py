"""Stage `evaluate`: decision quality, harm, drift and all tests of the main path; `dvc metrics diff` compares them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dart.annotation.people import VARIANT_OF, pair_labels
from dart.annotation.sample import primary
from dart.core import layout
from dart.core.files import read_jsonl
from dart.core.params import SimulationSpec, StageParams, TrainingSeeds
from dart.core.records import AuditRecord, Severity
from dart.core.schema.method import Annotation, Equivalence, Hypotheses, Statistics
from dart.metrics.evaluate import evaluate
from dart.metrics.headline import headline_metrics
from dart.metrics.provenance import load_provenance, write_results
from dart.metrics.run import Run, Settings, StudentRun, load_run
from dart.metrics.training_seeds import seed_metrics
from dart.policy.evaluation import PolicyRun, policy_report
from dart.policy.premise_labels import SCHEME, VARIANT, PremiseLabel, applicable, drawn_prompts, labels_path
from dart.policy.records import PolicyAnswer, Premise
from dart.simulation.premises import annotate_premises
from dart.simulation.truth import true_drift
from dart.stats.annotation import AnnotatedPair


class Params(StageParams):
    profile: str
    seed: int
    students: tuple[str, ...]
    seeds: TrainingSeeds
    annotation: Annotation
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
    annotated = {student.slot: _annotated(finished, student, params) for student in finished.students}
    metrics = evaluate(
        finished, params.statistics, params.seed, truth, params.hypotheses, params.equivalence, annotated, _verdicts()
    )
    seeds = seed_metrics(runs, truths, params.statistics.confidence, params.equivalence)
    metrics["metrics/seeds.json"], metrics["metrics/headline.json"] = seeds, headline_metrics(seeds)
    policy = {student.slot: _policy(finished, student, params) for student in finished.students}
    write_results({**metrics, str(layout.metric("policy")): policy}, provenance)


def _annotated(finished: Run, student: StudentRun, params: Params) -> dict[str, list[AnnotatedPair]]:
    """Labelled pairs by audit: the paper's, of stage `judge_annotated`, and what people labelled besides."""
    labelled = {
        when: pair_labels(
            params.profile, params.students, student.slot, when, finished.items, student.generations, records
        )
        for when, records in student.audits.items()
        if when in VARIANT_OF
    }
    if student.slot == primary(params.students):
        labelled["before"] = read_jsonl(layout.ANNOTATED_PAIRS, AnnotatedPair)
    return labelled


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
    premises = read_jsonl(folder / "premises.jsonl", Premise)
    labels = _premise_labels(finished, student, premises, answers, params)
    policy_run = PolicyRun(premises, student.generations, answers, labels)
    return policy_report(finished.items, policy_run, params.statistics, params.seed, student.slot)


def _premise_labels(
    finished: Run,
    student: StudentRun,
    premises: list[Premise],
    answers: dict[str, dict[str, list[PolicyAnswer]]],
    params: Params,
) -> list[PremiseLabel]:
    """Simulated people label the primary student's prompts; real ones have labelled what data/human has."""
    off, on = student.generations[VARIANT], answers[VARIANT][SCHEME]
    if params.simulation is None:
        every = drawn_prompts(finished.items, premises, off, on, len(finished.items), params.seed)
        return applicable(labels_path(params.profile, student.slot), every)
    if student.slot != primary(params.students):
        return []
    drawn = drawn_prompts(finished.items, premises, off, on, params.annotation.pairs, params.seed)
    return annotate_premises(drawn, params.simulation.annotators.error, params.seed)
