"""Stage `provenance`: which world the numbers are of, for every metrics file; the label is derived, never declared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dart.core import hub, layout
from dart.core.files import write_json
from dart.core.params import (
    FromProfile,
    JudgeEndpoint,
    OtherTeacherEndpoints,
    ScorerSpecs,
    SecondJudgeEndpoint,
    StageParams,
    TeacherEndpoint,
)
from dart.core.schema.profile import StudentSpec, label_of
from dart.core.tuned import tuned_revision
from dart.metrics.provenance import Checkpoint, Party, Provenance, StudentOrigin, dump, suite_digest


class Params(StageParams):
    profile: str
    students: tuple[str, ...]
    suite_source: Annotated[str, FromProfile("suite.source")]
    slots: Annotated[dict[str, StudentSpec], FromProfile("students")]
    scorers: ScorerSpecs
    teacher: TeacherEndpoint
    other_teachers: OtherTeacherEndpoints
    judge: JudgeEndpoint
    second_judge: SecondJudgeEndpoint
    external_source: Annotated[str, FromProfile("external.source")]


def run() -> None:
    params = Params.load("provenance")
    provenance = Provenance(
        profile=params.profile,
        label=label_of(
            params.suite_source, params.slots, params.scorers, params.teacher, params.other_teachers, params.judge,
            params.second_judge, params.external_source,
        ),
        suite=suite_digest(layout.SUITE),
        students=tuple(_student(slot, params.slots[slot]) for slot in params.students),
        scorers={
            kind: _checkpoint(getattr(params.scorers, kind).model, layout.SCORERS / kind)
            for kind in ("toxicity", "hate")
        },
        parties=_parties(params),
    )  # fmt: skip
    write_json(layout.PROVENANCE, dump(provenance))


def _student(slot: str, spec: StudentSpec) -> StudentOrigin:
    checkpoint = _checkpoint(spec.model, layout.base(slot))
    tuned = spec.distilled
    distilled = None if tuned is None else Checkpoint(model=tuned.model, revision=tuned_revision(tuned))
    return StudentOrigin(slot=slot, name=spec.name, distilled=distilled, **checkpoint.model_dump())


def _checkpoint(model: str, folder: Path) -> Checkpoint:
    return Checkpoint(model=model, revision=hub.recorded_revision(folder))


def _parties(params: Params) -> dict[str, Party]:
    endpoints = {
        "teacher": params.teacher,
        "second_teacher": params.other_teachers.second,
        "third_teacher": params.other_teachers.third,
        "judge": params.judge,
        "second_judge": params.second_judge,
        **{f"panel_{name}": endpoint for name, endpoint in params.judge.panel.items()},
    }
    named = {role: endpoint for role, endpoint in endpoints.items() if endpoint is not None}
    fallbacks = {f"{role}_fallback": each.fallback for role, each in named.items() if each.fallback is not None}
    return {
        role: Party(model=endpoint.model, endpoint=endpoint.base_url)
        for role, endpoint in {**named, **fallbacks}.items()
    }
