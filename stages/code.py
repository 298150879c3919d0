"""Stage `code`: the fingerprint of the code behind every stage, on which each of them depends.

A corrected docstring re-runs this stage and nothing else; a changed formula re-runs what it decides. The simulated
parties belong to it only where the profile has one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from dart.core import layout
from dart.core.code import fingerprints
from dart.core.files import replacing, write_json
from dart.core.params import (
    FromProfile,
    JudgeEndpoint,
    OtherTeacherEndpoints,
    ScorerSpecs,
    SecondJudgeEndpoint,
    SimulationSpec,
    StageParams,
    TeacherEndpoint,
)
from dart.core.records import Record
from dart.core.schema.profile import StudentSpec

EMBEDDED = "embedded"  # a source of data, or the scheme of an address, that `dart.simulation` answers


class Params(StageParams):
    suite_source: Annotated[str, FromProfile("suite.source")]
    students: Annotated[dict[str, StudentSpec], FromProfile("students")]
    scorers: ScorerSpecs
    teacher: TeacherEndpoint
    other_teachers: OtherTeacherEndpoints
    judge: JudgeEndpoint
    second_judge: SecondJudgeEndpoint
    external_source: Annotated[str, FromProfile("external.source")]
    simulation: SimulationSpec


def run() -> None:
    params = Params.load("code")
    with replacing(layout.CODE) as folder:
        for stage, hashes in fingerprints(Path(), simulated=_has_simulated_party(params)).items():
            write_json(folder / f"{stage}.json", hashes)


def _has_simulated_party(value: Any) -> bool:
    if isinstance(value, Record):
        return any(_has_simulated_party(getattr(value, name)) for name in type(value).model_fields)
    if isinstance(value, dict):
        return any(_has_simulated_party(entry) for entry in value.values())
    return isinstance(value, str) and (value == EMBEDDED or value.startswith(f"{EMBEDDED}:"))
