"""Stage `repair@S` (Stage III, Section 2.5): continue the adapter on distillation and severity-weighted safe rows."""

from __future__ import annotations

from dart.core import layout
from dart.student.train import train_adapter
from stages.training import Stage3Params, repair_rows


class Params(Stage3Params):
    """As Stage I, and how often a safe target of each severity is repeated."""


def run(student: str) -> None:
    params = Params.load("repair", student=student)
    train_adapter(
        layout.base(student),
        params.student,
        repair_rows(student, params.severity_weights),
        params.lora,
        params.training,
        params.seed,
        out=layout.adapter(student, "repaired"),
        start_from=layout.adapter(student, "distilled"),
    )
