"""Stage `audit@S` (Stage II, Section 2.4): screen by Eq. 1, let the judge confirm and grade."""

from __future__ import annotations

from dart import params
from dart.records import AuditRecord, write_jsonl
from stages import paths
from stages.auditing import audit_against_base


def run(student: str) -> None:
    given = params.load(f"audit@{student}")
    records: list[AuditRecord] = audit_against_base(given, student, "distilled")
    write_jsonl(paths.audit(student, "before"), records)
