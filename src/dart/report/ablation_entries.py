"""Rows of metrics/arms.json by name, and their numbers as cells: what all tables of ablations share.

An arm without an entry gets a row marked "not run".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dart.core.records import SEVERITIES
from dart.metrics.run import Run, StudentRun
from dart.report.cells import difference
from dart.report.table import NONE, NOT_RUN, Row, number, p_value, percent
from dart.stats.harm import SCALE, TOXIC_ABOVE

Entry = Mapping[str, Any]
DEFAULT = "default"
DISTILLED = "distilled"
TOXICITY_COLUMNS = ("Toxicity: mean", f"Above {TOXIC_ABOVE:g}", "Median")
_MEASURES: Mapping[tuple[str, ...], str] = {  # of the comparison with several seeds, by its place in the one with one
    ("decision", "overall"): "accuracy",
    ("decision", "DIFF"): "diff_accuracy",
    ("decision", "EQUAL"): "equal_accuracy",
    ("decision", "D"): "descriptive_accuracy",
    ("decision", "N"): "normative_accuracy",
    ("drift",): "drift_rate",
    ("grave",): "grave_rate",
    ("true",): "true_rate",
    ("toxicity",): "toxicity",
}
# Columns that the paper's tables do not have: dropped where a run has nothing to put in.
OURS = ("p (Holm)", "True drift", "True remain", "True drift rate", "True", "True, screened", "Δ true rate [95 % CI]")
SEED_TEST = (
    "Differences are the arm's one training − the mean of the reference recipe's training seeds on the same items; "
    "interval and p of Student's t for one more training of that recipe, whose spread stands for the arm's own (n − 1 "
    "degrees of freedom, conservative where the arm shares its Stage I with one of them), p corrected by Holm over all "
    "arms and the measures accuracy, EQUAL accuracy and drift rate; – is outside that family. "
)
NO_ARMS = "the ablation arms (`dvc repro ablations/dvc.yaml` writes metrics/arms.json)."


def truth_note(run: Run) -> str:
    """Who knows the true drift; nothing where nobody does."""
    return "True drift is known in the embedded world only. " if run.simulated else ""


def arms(run: Run) -> Mapping[str, Any]:
    """The contents of metrics/arms.json; empty where no arm has run."""
    contents: Mapping[str, Any] = run.metrics.get("arms", {})
    return contents


def runs(run: Run) -> Mapping[str, Entry]:
    """Entries of all arms, and of the stages of the main path, by name."""
    entries: Mapping[str, Entry] = arms(run).get("arms", {})
    return entries


def entry(run: Run, name: str) -> Entry | None:
    """The row `name` of metrics/arms.json, "default" included; None where it has not run."""
    return arms(run).get(DEFAULT) if name == DEFAULT else runs(run).get(name)


def ablation_student(run: Run) -> StudentRun:
    """The student that the arms are run on; the first where none has run."""
    slot = arms(run).get("student")
    return next((student for student in run.students if student.slot == slot), run.students[0])


def missing(run: Run, names: Iterable[str]) -> list[str]:
    return [name for name in names if entry(run, name) is None]


def any_has_run(run: Run, names: Iterable[str]) -> bool:
    """Whether a table of these rows holds a number of this run."""
    return any(entry(run, name) is not None for name in names)


def needs(run: Run, names: Sequence[str], *others: str) -> str:
    """What would fill a table: runs of arms, and anything else."""
    absent = (NO_ARMS if not arms(run) else f"entries under variants: {', '.join(names)}.") if names else ""
    return " ".join(text for text in (absent, *others) if text)


def not_run(cells: int) -> Row:
    return (NOT_RUN,) * cells


def levels(metrics: Entry) -> Row:
    """n, accuracy, EQUAL accuracy."""
    decision = metrics["decision"]
    return (str(metrics["n"]), number(decision["accuracy"]), number(decision["equal_accuracy"]))


def toxicity(metrics: Entry) -> Row:
    """The cells of TOXICITY_COLUMNS: mean x 1e5, share above the threshold, median x 1e5."""
    harm = metrics["harm"]
    return (
        number(harm["toxicity_mean_x1e5"], 1),
        percent(harm["toxicity_share_above"]),
        number(harm["toxicity_median_x1e5"], 2),
    )


def drift(metrics: Entry, key: str = "drift") -> str:
    """Number of cases and their share; `key` is "drift" (as audited) or "true"."""
    counts = metrics.get(key)
    return NONE if counts is None else f"{counts['total']} ({percent(counts['rate'])})"


def severe_or_worse(metrics: Entry) -> str:
    return str(sum(metrics["drift"][severity] for severity in SEVERITIES[2:])) if "drift" in metrics else NONE


def comparison(metrics: Entry, *path: str, against: str = "against_default") -> Entry | None:
    """The comparison at `path`, e.g. ("decision", "EQUAL"); None if it is missing.

    With several seeds of the main path it is that of the arm's one training with all of them; else that of two
    trainings item by item, which says nothing of a third.
    """
    key = "against_seeds" if against == "against_default" else "against_distilled_seeds"
    over_seeds: Entry = metrics.get(key, {}).get(_MEASURES[path], {})
    if over_seeds.get("p") is not None:
        interval = {name: over_seeds[name] for name in ("estimate", "ci")}
        return {"difference": interval, **{name: over_seeds[name] for name in ("p", "p_holm") if name in over_seeds}}
    value: Any = metrics.get(against, {})
    for part in path:
        value = value.get(part, {})
    return {name: number for name, number in value.items() if name != "p_holm"} or None


def test_difference(test: Entry | None) -> str:
    """Difference with its interval; for toxicity, of the mean H x 1e5."""
    if test is None:
        return NONE
    if "median_change" in test:
        return difference(None if test.get("mean") is None else test["mean"]["difference_x1e5"], 1)
    interval = test["difference"]
    large = interval["ci"] is not None and interval["ci"][1] - interval["ci"][0] > 2  # toxicity x 1e5
    return difference(interval, 0 if large else 3)


def p_holm(test: Entry | None) -> str:
    """The corrected p; a dash where the comparison is in no family."""
    return NONE if test is None else p_value(test.get("p_holm"))


def difference_and_p(test: Entry | None) -> Row:
    """Difference and corrected p."""
    return (test_difference(test), p_holm(test))


class Weight(NamedTuple):
    """One lambda, measured on the validation split (0: without the term); toxicity x 1e5."""

    run: str
    weight: float
    accuracy: float
    equal_accuracy: float
    toxicity: float
    h_mean: float


class Weights(NamedTuple):
    rows: tuple[Weight, ...]  # by weight, plain training first where the sweep ran
    chosen: str | None  # a run
    measure: str  # of toxicity: median, mean or q95


def toxicity_weights(run: Run) -> Weights:
    """The sweep in metrics/arms.json; only this function knows its keys."""
    sweep = arms(run).get("toxreg") or {}
    measure = sweep.get("chosen_by", "median")
    entries = ({"plain": sweep["plain"]} if "plain" in sweep else {}) | sweep.get("rows", {})
    rows = [
        Weight(
            name, entry["weight"], entry["accuracy"], entry["equal_accuracy"], SCALE * entry[measure], entry["h_mean"],
        )
        for name, entry in entries.items()
    ]  # fmt: skip
    return Weights(tuple(sorted(rows, key=lambda row: row.weight)), sweep.get("chosen"), measure)
