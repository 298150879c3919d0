"""Table K, not in the paper: what teacher, judge and providers refused, by benchmark, condition and label.

Prompts about discrimination are moderated, and which are is a result of its own. A refused item is neither drift nor
safe nor trained on, so the drift rate has a lower and an upper end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from dart.core.records import AuditRecord, Item
from dart.core.refusal import Refusal
from dart.report.blocks import Maker
from dart.report.cells import count
from dart.report.evidence import PaperRun
from dart.report.table import NONE, Row, Table, bounds, percent, ruled
from dart.stats.agreement import share

_AUDITS: Mapping[str, str] = {
    "before": "distilled against base",
    "after": "repaired against base",
    "control": "control against base",
    "teacher": "teacher's rationales against base",
}


class Question(NamedTuple):
    """One item as it was put to a party, and the refusal if there is one."""

    item_id: str
    refusal: Refusal | None


def table_k(run: PaperRun) -> Table:
    """Table K: refusals by party, benchmark, condition and label."""
    items = {item.id: item for items in run.splits.values() for item in items}
    blocks = [_rows(name, questions, items) for name, questions in _parties(run) if questions]
    body = ruled(blocks)
    limits = [text for student in run.students for text in _limits(student.name, student.audits)]
    return Table(
        number="K",
        title="What was refused",
        columns=(
            "Asked about", "Benchmark", "Condition (gold)", "Items asked", "Refused", "95 % CI", "By whom and how",
            "A fallback answered",
        ),
        rows=body.rows,
        rules=body.rules,
        note="By the teacher's or the judge's provider (moderation), by the model itself, or with no answer that could "
        "be read after all corrections (unreadable); request: the server could not take this one. Rows of single "
        "benchmarks stand where something was refused. A refused item that no fallback answered is left out of "
        "training, and is neither drift nor safe. "
        + ("If none or all of the refused pairs drifted: " + "; ".join(limits) + "." if limits else ""),
        wrapped=(6,),
        simulated=run.simulated,
    )  # fmt: skip


def _parties(run: PaperRun) -> Iterable[tuple[str, list[Question]]]:
    """(what was asked, its questions) of the main path's reference seed."""
    yield "rationales of training items", [Question(r.item_id, Refusal.of(r.problems)) for r in run.rationales]
    for student in run.students:
        for when, name in _AUDITS.items():
            judged = [r for r in student.audits.get(when, ()) if r.judgement is not None or r.refusal is not None]
            yield f"{student.name}: {name}", [Question(r.item_id, r.refusal) for r in judged]
        targets = [Question(target.item_id, Refusal.of(target.problems)) for target in student.targets]
        yield f"{student.name}: safe rationales", targets


def _rows(name: str, questions: Sequence[Question], items: Mapping[str, Item]) -> list[Row]:
    """A row for everything that was asked, and one for each benchmark and condition with a refusal."""
    groups: dict[tuple[str, str], list[Question]] = {}
    for question in questions:
        item = items[question.item_id]
        groups.setdefault((item.benchmark, f"{item.condition} ({item.gold})"), []).append(question)
    rows = [_row(name, "all", "all", questions)]
    for (benchmark, label), part in sorted(groups.items()):
        if any(question.refusal for question in part):
            rows.append(_row(name, benchmark, label, part))
    return rows


def _row(name: str, benchmark: str, label: str, questions: Sequence[Question]) -> Row:
    refusals = [question.refusal for question in questions if question.refusal is not None]
    interval = share(len(refusals), len(questions)).json(4)["ci"]
    kinds = Counter(f"{refusal.by}, {refusal.kind}" for refusal in refusals)
    answered = Counter(refusal.fallback for refusal in refusals if refusal.fallback is not None)
    return (
        name,
        benchmark,
        label,
        str(len(questions)),
        count(len(refusals), len(questions)),
        bounds(interval, sign=False),
        "; ".join(f"{kind}: {number}" for kind, number in kinds.most_common()) or NONE,
        "; ".join(f"{model}: {number}" for model, number in answered.most_common()) or NONE,
    )


def _limits(name: str, audits: Mapping[str, Sequence[AuditRecord]]) -> Iterable[str]:
    for when, what in _AUDITS.items():
        records = audits.get(when, ())
        unjudged = sum(record.screened and record.unjudged for record in records)
        if unjudged:
            cases = sum(record.severity is not None for record in records)
            low, high = (percent(number / len(records)) for number in (cases, cases + unjudged))
            yield f"{name}, {what}, drift rate {low} to {high}"


TABLES: tuple[Maker, ...] = (table_k,)
