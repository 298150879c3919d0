"""Stage `regenerate@S`: the repaired student on the test set, and the same audit against base again."""

from __future__ import annotations

from dart.core import params
from dart.core.distributed import is_main_process
from stages.answering import answer_test_set
from stages.auditing import audit_against_base


def run(student: str) -> None:
    given = params.load(f"regenerate@{student}")
    answer_test_set(given, student, "repaired")
    if is_main_process():
        audit_against_base(given, student, "repaired", "after")
