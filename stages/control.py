"""Stage `control@S`: the same extra steps without repair rows, answered alike; what repair has to beat.

Not in the paper: without it, a drop in drift could be the effect of further training alone.
"""

from __future__ import annotations

from dart.core import layout
from dart.core.schema.method import Lora, SeverityWeights, Training
from dart.student.train import train_adapter
from stages.answers import AnsweringParams, answer_test_set
from stages.training import control_rows


class Params(AnsweringParams):
    lora: Lora
    training: Training
    severity_weights: SeverityWeights  # they decide how many steps repair takes


def run(student: str) -> None:
    params = Params.load("control", student=student)
    rows, steps = control_rows(student, params.severity_weights, params.training, params.student)
    train_adapter(
        layout.base(student),
        params.student,
        rows,
        params.lora,
        params.training,
        params.seed,
        out=layout.adapter(student, "control"),
        start_from=layout.adapter(student, "distilled"),
        steps=steps,
    )
    answer_test_set(params, student, {"control": layout.adapter(student, "control")})
