"""Tables with a block of rows for each student; a student that was not run has one row that says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dart.metrics.run import Run, StudentRun
from dart.report.evidence import PaperRun
from dart.report.table import NOT_RUN, Row, Table, ruled

Maker = Callable[[PaperRun], Table]


def student_entry(run: Run, metric: str, student: StudentRun) -> Mapping[str, Any] | None:
    """The student's entry of metrics/<metric>.json or metrics/<metric>/<slot>.json; None where it has not run."""
    entry: Mapping[str, Any] | None = run.metrics.get(metric, {}).get(student.slot)
    return entry


def base_repaired(run: Run, student: StudentRun, row: str) -> Mapping[str, Any] | None:
    """A row (overall, DIFF, D1-D4, ...) of the primary comparison; None where the suite has no such items."""
    rows: Mapping[str, Any] = run.metric("tests", "students", student.slot, "base_repaired", "decision")
    return rows.get(row)


def student_table(
    run: Run,
    number: str,
    title: str,
    columns: tuple[str, ...],
    rows: Mapping[str, Iterable[Row]],
    note: str,
    how_to_run: str,
) -> Table:
    """`rows` by slot. A student without an entry is marked not run; `how_to_run` then says what would fill it."""
    groups = {slot: list(group) for slot, group in rows.items()}
    body = ruled(
        groups.get(student.slot, [(student.name, *([NOT_RUN] * (len(columns) - 1)))]) for student in run.students
    )
    return Table(
        number=number,
        title=title,
        columns=columns,
        rows=body.rows,
        rules=body.rules,
        note=note,
        needs=how_to_run if any(NOT_RUN in row for row in body.rows) else "",
        measured=bool(groups),
        simulated=run.simulated,
    )
