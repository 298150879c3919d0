"""Stage `repair@S` (Stage III, Section 2.5): continue the adapter on distillation and severity-weighted safe rows."""

from __future__ import annotations

from dart import params
from dart.student.train import train_adapter
from stages import paths
from stages.continuing import repair_rows


def run(student: str) -> None:
    given = params.load(f"repair@{student}")
    train_adapter(
        paths.base(student), given.student(student), repair_rows(student, given.severity_weights),
        given.lora, given.training, given.seed,
        out=paths.adapter(student, "repaired"), start_from=paths.adapter(student, "distilled"),
    )  # fmt: skip
