"""Stage `arms`: every arm beside the default recipe on the same items, with paired tests (Tables 4, 7, 19-32, D, E)."""

from __future__ import annotations

from typing import Annotated

from dart.ablations.evaluation import Plan, evaluate_arms
from dart.ablations.pools import People
from dart.annotation.people import pair_labels
from dart.core import layout
from dart.core.files import read_jsonl
from dart.core.params import (
    FromParams,
    OtherTeacherEndpoints,
    SimulationSpec,
    StageParams,
    TeacherEndpoint,
    TrainingSeeds,
)
from dart.core.records import AuditRecord, Generation, Item
from dart.core.schema.ablations import Arms, Variant
from dart.core.schema.method import Statistics, ToxicityTerm
from dart.metrics.provenance import load_provenance, write_metrics
from dart.simulation.truth import true_drift
from dart.stats.annotation import sampling_weights


class Params(StageParams):
    profile: str
    students: tuple[str, ...]
    seed: int
    seeds: TrainingSeeds
    arms: Arms
    variants: dict[str, Variant]
    folds: Annotated[int, FromParams("split.folds")]
    toxreg: ToxicityTerm
    statistics: Statistics
    teacher: TeacherEndpoint
    other_teachers: OtherTeacherEndpoints
    simulation: SimulationSpec


def run() -> None:
    params = Params.load("arms")
    others = params.other_teachers
    endpoints = {"teacher": params.teacher, "second_teacher": others.second, "third_teacher": others.third}
    plan = Plan(
        arms=params.arms,
        variants=params.variants,
        statistics=params.statistics,
        toxreg=params.toxreg,
        folds=params.folds,
        seed=params.seed,
        seeds=tuple(params.seeds),
        truth=true_drift if params.simulation is not None else None,
        people=None if params.simulation is not None else _people(params),
        teachers={role: endpoint.model for role, endpoint in endpoints.items() if endpoint is not None},
    )
    write_metrics(layout.metric("arms"), evaluate_arms(plan), load_provenance())


def _people(params: Params) -> People:
    """What people labelled of the student's pairs; weighted by the audit that decided which pairs they were shown."""
    slot, seed = params.arms.student, params.seeds[0]
    items = read_jsonl(layout.split("test"), Item)
    audit = read_jsonl(layout.audit(slot, "before", seed), AuditRecord)
    answers = {name: read_jsonl(layout.generations(slot, name, seed), Generation) for name in ("base", "distilled")}
    pairs = pair_labels(params.profile, params.students, slot, "before", items, answers, audit)
    return People(pairs, sampling_weights(items, audit, pairs))
