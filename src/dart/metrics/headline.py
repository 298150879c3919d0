"""metrics/headline.json: the numbers of each student that a review reads, at most 15.

`dvc metrics diff` prints every leaf that changed, and metrics/*.json together have thousands. These are the paper's
two claims (Section 3: decisions improve, drift falls) with what each must beat, and the tail of the toxicity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dart.core.records import Generation
from dart.metrics.run import Run, StudentRun
from dart.stats.harm import TOXIC_ABOVE

MAX_LEAVES = 15  # per student: one screen of a diff
DIGITS = 4  # `dvc metrics diff` shows five decimals


def headline_metrics(run: Run, metrics: Mapping[str, Any]) -> dict[str, dict[str, float | int]]:
    """{student: {name: number}}, flat. A number that this run cannot give (e.g. without a control) has no key.

    n: test items. accuracy, equal_accuracy, diff_accuracy, parse_rate: the repaired student, unparsed answers wrong;
    accuracy_gain: repaired - base. drift_cases_*: as audited, before and after repair; drift_rate_*: what the judge
    would say over all pairs, where pairs below the screen were judged. reduction_vs_control*: share of the drift cases
    that repair removes, net of new ones, beyond what the control removes, with its interval. toxic_share_*: answers
    with H > 0.1, before (distilled) and after repair.

    Args:
        metrics: contents of metrics/<name>.json by name: decision, drift_rate and repair.
    """
    return {
        student.slot: student_headline(
            student, *(metrics[name][student.slot] for name in ("decision", "drift_rate", "repair"))
        )
        for student in run.students
    }


def student_headline(
    student: StudentRun, decision: Mapping[str, Any], rates: Mapping[str, Any], repair: Mapping[str, Any]
) -> dict[str, float | int]:
    """The numbers of one student, from its entries in metrics/decision.json, drift_rate.json and repair.json."""
    repaired, audited = decision["repaired"], repair["audited"]
    against = audited.get("difference", {}).get("reduction", {})
    low, high = against.get("ci") or (None, None)
    values: dict[str, float | int | None] = {
        "n": repaired["n"],
        "accuracy": repaired["accuracy"],
        "accuracy_gain": repaired["accuracy"] - decision["base"]["accuracy"],
        "equal_accuracy": repaired["equal_accuracy"],
        "diff_accuracy": repaired["diff_accuracy"],
        "parse_rate": repaired["parse_rate"],
        "drift_cases_before": audited["repair"]["before"],
        "drift_cases_after": audited["repair"]["after"],
        "drift_rate_before": rates["before"]["judge_rate"].get("estimate"),
        "drift_rate_after": rates["after"]["judge_rate"].get("estimate"),
        "reduction_vs_control": against.get("estimate"),
        "reduction_vs_control_low": low,
        "reduction_vs_control_high": high,
        "toxic_share_before": toxic_share(student.generations["distilled"]),
        "toxic_share_after": toxic_share(student.generations["repaired"]),
    }
    return {name: round(value, DIGITS) for name, value in values.items() if value is not None}


def toxic_share(answers: Sequence[Generation], above: float = TOXIC_ABOVE) -> float | None:
    """Share of the answers whose toxicity is known and lies above `above`; None without answers."""
    scores = [answer.toxicity for answer in answers if answer.toxicity is not None]
    return sum(score > above for score in scores) / len(scores) if scores else None
