"""The folder of an audit: report, viewer, all numbers, every pair, and what moved most; replaced whole or not at all.

A folder that is not an earlier audit's is somebody's own and is never touched, which is said before anything is paid.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dart.audit.page import report_html, samples_html
from dart.audit.results import Evidence, results
from dart.audit.tables import VIEWER, moved
from dart.core.errors import DataError
from dart.core.files import replacing, write_json, write_jsonl
from dart.core.records import AuditRecord, Record, Severity
from dart.core.visible_text import shown

REPORT, NUMBERS, MOVED = "index.html", "audit.json", "moved.jsonl"
FOLDERS = ("answers", "pairs")  # one JSONL for each side, or for each candidate
FILES = frozenset({REPORT, VIEWER, NUMBERS, MOVED, *FOLDERS})


class MovedPair(Record):
    """A pair with its texts, what drifted most first; the names of what is not known are null."""

    against_base: str
    id: str
    case: bool
    severity: Severity | None
    reason: str | None
    toxicity_base: float | None
    toxicity: float | None
    delta: float | None
    prompt: str
    text_base: str
    text: str


def require_replaceable(folder: Path) -> None:
    """Refuse a folder that holds anything but an earlier audit.

    Raises:
        DataError: it is a file, or has files that no audit writes.
    """
    if not folder.exists():
        return
    if not folder.is_dir() or folder.is_symlink():
        raise DataError(f"--out {shown(str(folder))} is no folder of its own. Name another.")
    entries = sorted(path.name for path in folder.iterdir())
    foreign = [name for name in entries if name not in FILES]
    if foreign or (entries and not _is_audit(folder / NUMBERS)):
        example = f" (it holds {shown(foreign[0])})" if foreign else ""
        raise DataError(
            f"--out {shown(str(folder))} is not an earlier audit's folder{example}, so it stays as it is. Name another."
        )


def _is_audit(path: Path) -> bool:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and {"format", "sides", "candidates"} <= content.keys()


def write_audit(evidence: Evidence, folder: Path) -> dict[str, Any]:
    """Write the folder; returns the contents of audit.json.

    Raises:
        DataError: the folder is not an earlier audit's.
    """
    require_replaceable(folder)
    numbers = results(evidence)
    report, viewer = report_html(evidence, numbers), samples_html(evidence, numbers)
    with replacing(folder) as scratch:
        scratch.mkdir()
        (scratch / REPORT).write_text(report, encoding="utf-8", newline="\n")
        (scratch / VIEWER).write_text(viewer, encoding="utf-8", newline="\n")
        write_json(scratch / NUMBERS, numbers)
        write_jsonl(scratch / MOVED, [pair for role in evidence.audited for pair in moved_pairs(evidence, role)])
        for role, side in evidence.sides.items():
            answers = side.answers if evidence.scored else [_unscored(each) for each in side.answers]
            write_jsonl(scratch / "answers" / f"{role}.jsonl", answers)
        for role in evidence.audited:
            write_jsonl(scratch / "pairs" / f"{role}.jsonl", [_known(evidence, r) for r in _records(evidence, role)])
    return numbers


def _records(evidence: Evidence, role: str) -> list[AuditRecord]:
    return evidence.audited[role].records


def _unscored(answer: Any) -> Any:
    return answer.model_copy(update={"toxicity": None})


def _known(evidence: Evidence, record: AuditRecord) -> PairRecord:
    """A record without the severity that nobody gave and the scores that nobody computed."""
    graded, judged = evidence.confirmed_by == "judge", evidence.confirmed_by != "none"
    verdict = record.judgement if judged else None
    scores = {"toxicity_base": record.toxicity_base, "toxicity": record.toxicity_candidate, "delta": record.delta}
    return PairRecord(
        id=record.item_id,
        **(scores if evidence.scored else dict.fromkeys(scores)),
        screened=record.screened,
        sampled=record.sampled,
        more_harmful=None if verdict is None else verdict.is_regression,
        severity=record.severity if graded else None,
        kind=verdict.regression_type if verdict is not None and graded else None,
        reason=None if verdict is None else verdict.reason,
        changes_with_order=record.flipped,
        refused=None if record.refusal is None else record.refusal.words,
    )


class PairRecord(Record):
    """What the audit says of one pair; null where nobody was asked."""

    id: str
    toxicity_base: float | None
    toxicity: float | None
    delta: float | None
    screened: bool
    sampled: bool  # below the screen, and judged all the same
    more_harmful: bool | None
    severity: Severity | None
    kind: str | None
    reason: str | None
    changes_with_order: bool | None
    refused: str | None


def moved_pairs(evidence: Evidence, role: str) -> list[MovedPair]:
    """All pairs of a candidate with their texts, what drifted most first."""
    prompts = {item.id: item.prompt for item in evidence.prompts.items}
    texts = [{each.item_id: each.text for each in evidence.sides[side].answers} for side in ("base", role)]
    rows = []
    for record in moved(evidence, role):
        pair = _known(evidence, record)
        rows.append(
            MovedPair(
                against_base=role,
                id=pair.id,
                case=record.severity is not None,
                severity=pair.severity,
                reason=pair.reason,
                toxicity_base=pair.toxicity_base,
                toxicity=pair.toxicity,
                delta=pair.delta,
                prompt=prompts[pair.id],
                text_base=texts[0][pair.id],
                text=texts[1][pair.id],
            )
        )
    return rows
