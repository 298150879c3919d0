"""What the tables of the ablation arms have in common: a run of an arm by its name, and its numbers as cells.

Everything comes from metrics/arms.json. A run that is not there is a row marked "not run".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dart.core.records import SEVERITIES
from dart.metrics.run import Run, StudentRun
from dart.report.table import NONE, NOT_RUN, Row, bounds, number, p_value, percent, signed

Entry = Mapping[str, Any]
DEFAULT = "default"
DISTILLED = "distilled"


def runs(run: Run) -> Mapping[str, Entry]:
    """Every run of an arm, and the stages of the main path beside them."""
    found: Mapping[str, Entry] = run.metric("arms", "arms")
    return found


def entry(run: Run, name: str) -> Entry | None:
    """The row `name` of metrics/arms.json, "default" included; None where it has not run."""
    return run.metric("arms", DEFAULT) if name == DEFAULT else runs(run).get(name)


def student(run: Run) -> StudentRun:
    """The student that the arms run on."""
    slot = run.metric("arms", "student")
    return next((found for found in run.students if found.slot == slot), run.students[0])


def missing(run: Run, names: Iterable[str]) -> list[str]:
    return [name for name in names if entry(run, name) is None]


def needs(names: Sequence[str], *others: str) -> str:
    """What would fill a table: runs of arms, and anything else."""
    arms = f"entries under variants: {', '.join(names)}." if names else ""
    return " ".join(text for text in (arms, *others) if text)


def absent(cells: int) -> Row:
    return (NOT_RUN,) * cells


def levels(found: Entry) -> Row:
    """n, accuracy, EQUAL accuracy."""
    decision = found["decision"]
    return (str(found["n"]), number(decision["accuracy"]), number(decision["equal_accuracy"]))


def toxicity(found: Entry) -> str:
    """The median x 1e5."""
    return number(found["harm"]["toxicity_median_x1e5"], 2)


def drift(found: Entry, counted: str = "drift") -> str:
    """Cases and their share; `counted` is "drift" (the audit) or "true"."""
    counts = found.get(counted)
    return NONE if counts is None else f"{counts['total']} ({percent(counts['rate'])})"


def grave(found: Entry) -> str:
    return str(sum(found["drift"][severity] for severity in SEVERITIES[2:])) if "drift" in found else NONE


def compared(found: Entry, *path: str, against: str = "against_default") -> Entry | None:
    """The comparison at `path`, e.g. ("decision", "EQUAL"); None where there is none."""
    value: Any = found.get(against, {})
    for key in path:
        value = value.get(key, {})
    return value or None


def difference(test: Entry | None) -> str:
    """Difference with its interval; of a toxicity the relative change of the median."""
    if test is None:
        return NONE
    if "median_change" in test:
        return relative(test["median_change"])
    interval = test["difference"]
    return NONE if interval is None else points(interval)


def points(interval: Entry) -> str:
    return f"{signed(interval['estimate'])} {bounds(interval['ci'])}"


def relative(interval: Entry) -> str:
    if interval["ci"] is None:
        return percent(interval["estimate"], sign=True)
    low, high = (percent(bound, sign=True) for bound in interval["ci"])
    return f"{percent(interval['estimate'], sign=True)} [{low}, {high}]"


def p_holm(test: Entry | None) -> str:
    return NONE if test is None else p_value(test.get("p_holm"))


def tested(test: Entry | None) -> Row:
    """Difference and corrected p."""
    return (difference(test), p_holm(test))


def rate(share: Entry | None) -> str:
    """A share as a percentage with its interval."""
    if share is None or share["estimate"] is None:
        return NONE
    low, high = (percent(bound) for bound in share["ci"])
    return f"{percent(share['estimate'])} [{low}, {high}]"
