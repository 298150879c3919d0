"""Stage `control@S`: the same extra steps without repair rows, audited alike; what repair has to beat.

Not in the paper: without it, a drop in drift could be the effect of further training alone.
"""

from __future__ import annotations

from dart.core import layout, params
from dart.core.distributed import is_main_process
from dart.student.train import train_adapter
from stages.answering import answer_test_set
from stages.auditing import audit_against_base
from stages.continuing import control_rows


def run(student: str) -> None:
    given = params.load(f"control@{student}")
    rows, steps = control_rows(student, given.severity_weights, given.training)
    train_adapter(
        layout.base(student), given.student(student), rows, given.lora, given.training, given.seed,
        out=layout.adapter(student, "control"), start_from=layout.adapter(student, "distilled"), steps=steps,
    )  # fmt: skip
    answer_test_set(given, student, "control")
    if is_main_process():
        audit_against_base(given, student, "control", "control")
