"""Stage `student@S`: train the embedded base model of slot S, or pin the hub's to a commit."""

from __future__ import annotations

from typing import Annotated

from dart.core import layout
from dart.core.files import read_jsonl
from dart.core.params import FromProfile, StageParams
from dart.core.records import Item
from dart.core.schema.profile import BaseStudent
from dart.simulation.student import train_student
from stages.pinning import pin


class Params(StageParams):
    seed: int
    student: Annotated[BaseStudent, FromProfile("students.{student}", by_field=True)]


def run(student: str) -> None:
    params = Params.load("student", student=student)
    spec = params.student
    if spec.model.startswith("embedded://"):
        outside = read_jsonl(layout.split("outside"), Item)
        train_student(outside, spec, params.seed, layout.base(student))
    else:
        pin(spec.model, spec.revision, layout.base(student))
