"""Stage `code`: the fingerprint of the code behind every stage, on which each of them depends.

A corrected docstring re-runs this stage and nothing else; a changed formula re-runs what it decides. The simulated
parties belong to it only where the profile has one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
from dart.core.schema.profile import StudentSpec, has_embedded


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
        for stage, hashes in fingerprints(Path(), simulated=has_embedded(params)).items():
            write_json(folder / f"{stage}.json", hashes)
