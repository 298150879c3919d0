"""The student under the inference-time policy, as far as tables of ablations show it (Tables 4, 19, 21).

Numbers come from metrics/policy.json, two-pass scheme; where that has not run, the rows are marked so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dart.metrics.run import Run
from dart.report.cells import harm_change

SCHEME = "two_pass"
NO_POLICY = "the policy stage (metrics/policy.json)."


class PolicyRow(NamedTuple):
    """Levels under the policy and, as intervals, what it changed on the same prompts; toxicity: median x 1e5."""

    n: int
    accuracy: float | None
    equal_accuracy: float | None
    diff_accuracy: float | None
    parse_rate: float | None
    toxicity: float | None
    change: Mapping[str, Any]  # accuracy, equal_accuracy, parse_rate, toxicity (of the mean): {estimate, ci}


def policy_row(run: Run, slot: str, variant: str) -> PolicyRow | None:
    """`variant` (base, distilled, repaired) of the student in `slot` under the policy; None where it has not run."""
    metrics = run.metrics.get("policy", {}).get(slot, {}).get("variants", {}).get(variant, {}).get(SCHEME)
    if metrics is None:
        return None
    against = metrics["against_off"]
    unparsed = metrics["answers"]["unparsed"]["estimate"]
    toxicity = metrics["toxicity"]["all"]
    return PolicyRow(
        n=metrics["n"],
        accuracy=metrics["accuracy"]["all"]["estimate"],
        equal_accuracy=metrics["accuracy"]["EQUAL"]["estimate"],
        diff_accuracy=metrics["accuracy"]["DIFF"]["estimate"],
        parse_rate=None if unparsed is None else 1 - unparsed,
        toxicity=None if toxicity is None else toxicity["median_x1e5"]["estimate"],
        change={
            "accuracy": _interval(against["accuracy"]["all"], "difference"),
            "equal_accuracy": _interval(against["accuracy"]["EQUAL"], "difference"),
            "parse_rate": _interval(against["parsed"], "difference"),
            "toxicity": harm_change(_interval(against["toxicity"]["all"], "harm")),
        },
    )


def _interval(entry: Mapping[str, Any] | None, key: str) -> Any:
    return None if entry is None else entry[key]
