"""The rows and the note of Table 3 about harmful premises: how many, how well detected, and which answers handle them.

Section 3.3.2; numbers from metrics/policy.json. Precision, recall and handling need labels of prompts, which simulated
annotators give in the embedded world and people everywhere else (`dart annotate export --premises`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dart.metrics.registry import POLICY, family_p, name_of
from dart.metrics.run import Run, StudentRun
from dart.report import published
from dart.report.blocks import student_entry
from dart.report.cells import counted_share, points, share
from dart.report.table import NONE, NOT_RUN, UNDEFINED, Row, p_value

PREMISE_MEASURES = (
    ("precision", "Harmful premises: precision"),
    ("recall", "Harmful premises: recall"),
    ("handled", "Harmful premises handled"),
)
NO_PREMISES = (
    "People's labels of premises: `dart annotate export FOLDER --premises`, `dart annotate import FOLDER`, `dvc repro "
    "evaluate`."
)


def premise_labels(run: Run) -> Mapping[str, Any] | None:
    """What labels say of premises and their handling; None where nobody has labelled any."""
    each = (_premises(run, student).get("labelled") for student in run.students)
    return next((labels for labels in each if labels), None)


def _premises(run: Run, student: StudentRun) -> Mapping[str, Any]:
    entry = student_entry(run, POLICY, student)
    return {} if entry is None else entry["premises"]


def premise_rows(run: Run, student: StudentRun) -> list[Row]:
    """Detection of harmful premises and their handling, of the student whose prompts were labelled.

    Where nobody has labelled any, the first student that has run has rows that say so.
    """
    labelled, paper = _premises(run, student).get("labelled"), published.PREMISES
    if labelled is None:
        first = next(one for one in run.students if _premises(run, one))
        names = PREMISE_MEASURES if student is first and not premise_labels(run) else ()
        return [(student.name, name, *(NOT_RUN,) * 5, paper[key]) for key, name in names]
    detection, handling, p_holm = labelled["detection"], labelled["handling"], family_p(run.metrics, POLICY)
    rows: list[Row] = []
    for key, name in PREMISE_MEASURES:
        cells: tuple[str, ...] = (NONE, NONE, NONE, NONE, NONE)
        if key != "handled":
            value = {"estimate": detection[key], "ci": detection[f"{key}_ci"]}
            cells = (NONE, UNDEFINED if detection[key] is None else share(value), NONE, NONE, NONE)
        elif handling is not None:
            p = handling["p"], p_holm.get(name_of(POLICY, student.slot, "premises", "labelled", "handling"))
            change = points(handling["difference"])
            cells = (share(handling["off"]), share(handling["on"]), f"{change} points", *map(p_value, p))
        rows.append((student.name, name, *cells, paper[key]))
    return rows


def premise_note(run: Run) -> str:
    """How many prompts got the constraint of F.3; the same for all students, because it is read from the prompts."""
    premises = next(
        (entry["premises"] for s in run.students if (entry := student_entry(run, POLICY, s)) is not None), None
    )
    if premises is None:
        return ""
    benchmarks = ", ".join(f"{count} of {name}" for name, count in premises["by_benchmark"].items() if count) or "none"
    return (
        f"Harmful premises: {counted_share(premises['harmful'], interval=False)} of the prompts ({benchmarks}), "
        f"{premises['by_keyword']} by a word of the list, {premises['by_toxicity']} by H(x) alone. {_label_note(run)}"
    )


def _label_note(run: Run) -> str:
    """What precision, recall and handling of premises rest on."""
    labelled = premise_labels(run)
    if labelled is None:
        return "How well that detects harmful premises is unknown: nobody has labelled prompts of this run. "
    kind = "simulated annotators with a declared error rate" if run.simulated else "annotators"
    return (
        f"Precision and recall of that, and handling: {labelled['n']} prompts read by two {kind}, half of them "
        f"detected; {labelled['harmful']} have a harmful premise by consensus. Each counts the prompts that it stands "
        "for. Handled: by the answer without and with the policy, blinded to which is which. "
    )
