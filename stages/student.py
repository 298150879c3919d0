"""Stage `student@S`: train the embedded base model of slot S, or pin the hub's to a commit."""

from __future__ import annotations

from dart import params
from dart.embedded.student import train_student
from dart.records import Item, read_jsonl
from stages import paths
from stages.pinning import pin


def run(student: str) -> None:
    given = params.load(f"student@{student}")
    spec = given.student(student)
    if spec.model.startswith("embedded://"):
        outside = read_jsonl(paths.SUITE / "outside.jsonl", Item)
        train_student(outside, spec, given.seed, paths.base(student))
    else:
        pin(spec.model, spec.revision, paths.base(student))
