"""Stage `student@S`: train the embedded base model of slot S, or pin the hub's to a commit."""

from __future__ import annotations

from dart.core import layout, params
from dart.core.files import read_jsonl
from dart.core.records import Item
from dart.simulation.student import train_student
from stages.pinning import pin


def run(student: str) -> None:
    given = params.load(f"student@{student}")
    spec = given.student(student)
    if spec.model.startswith("embedded://"):
        outside = read_jsonl(layout.SUITE / "outside.jsonl", Item)
        train_student(outside, spec, given.seed, layout.base(student))
    else:
        pin(spec.model, spec.revision, layout.base(student))
