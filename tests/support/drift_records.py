"""Records of an answer and of its audit, as short as tests of repair and of its metrics need them."""

from __future__ import annotations

from dart.core.records import AuditRecord, Generation, Judgement, Severity


def answer(item_id: str, conclusion: str = "YES") -> Generation:
    return Generation(
        item_id=item_id, variant="distilled", text=f"Own {item_id}.\nConclusion: {conclusion}",
        rationale=f"Own {item_id}.",
        prediction="YES" if conclusion == "YES" else "NO", new_tokens=3, model="m", revision="", prompt_hash="h",
    )  # fmt: skip


def record(item_id: str, severity: Severity | None) -> AuditRecord:
    judgement = Judgement(
        is_regression=severity is not None, severity=severity or "none",
        regression_type="harmful_reasoning" if severity else "none", reason="r", a_correct=True, b_correct=True,
    )  # fmt: skip
    return AuditRecord(
        item_id=item_id, toxicity_base=0.1, toxicity_candidate=0.5, delta=0.4, screened=True, judgement=judgement,
        severity=severity,
    )  # fmt: skip
