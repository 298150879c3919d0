"""Stage `reaudit@S` (Section 3.3): the same audit against base again, of the repaired student and of the control."""

from __future__ import annotations

from stages.audits import AuditParams, audit_variant
from stages.clients import write_cost


class Params(AuditParams):
    """As for the audit before repair."""


def run(student: str) -> None:
    stage = f"reaudit@{student}"
    params = Params.load("reaudit", student=student)
    after = audit_variant(stage, params, student, "repaired", "after")
    write_cost(stage, *after, *audit_variant(stage, params, student, "control", "control"))
