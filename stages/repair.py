"""Stage `repair@S` (Stage III, Section 2.5): continue the adapter on distillation and severity-weighted safe rows."""

from __future__ import annotations

from dart.core import layout, params
from dart.student.train import train_adapter
from stages.continuing import repair_rows


def run(student: str) -> None:
    given = params.load(f"repair@{student}")
    train_adapter(
        layout.base(student), given.student(student), repair_rows(student, given.severity_weights),
        given.lora, given.training, given.seed,
        out=layout.adapter(student, "repaired"), start_from=layout.adapter(student, "distilled"),
    )  # fmt: skip
