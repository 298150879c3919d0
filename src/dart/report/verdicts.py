"""Whether an arm shows the direction that the paper reports, measured against what another training seed does.

An interval over items knows nothing of training: a second training of the same recipe differs, too. Verdicts in the
notes of Tables 19-32 therefore come from the comparison of the arm's one training with all of the main path's
(Student's t for a new observation, corrected by Holm over all arms), and are computed here, never written down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from dart.metrics.run import Run
from dart.metrics.training_seeds import SeedValues, seed_values
from dart.report.ablation_entries import Entry, ablation_student, entry
from dart.report.cells import difference
from dart.report.table import number, p_value, percent

Measure = Literal["accuracy", "equal_accuracy", "drift_rate", "grave_rate", "true_rate"]
_NAMES: Mapping[Measure, str] = {
    "accuracy": "accuracy",
    "equal_accuracy": "EQUAL accuracy",
    "drift_rate": "drift rate",
    "grave_rate": "rate of severe or extreme cases",
    "true_rate": "true drift rate",
}
ALPHA = 0.05
NO_PROOF = "A difference that is not shown is no proof that nothing changed. "


def default_seeds(run: Run, measure: Measure, variant: str = "repaired") -> SeedValues | None:
    """The default recipe's measure over training seeds, of the student that arms run on."""
    return seed_values(run, ablation_student(run).slot, variant, measure)


def seed_note(run: Run, measure: Measure = "drift_rate") -> str:
    """The spread over training seeds, which no interval over items contains, for the note of a table."""
    values = default_seeds(run, measure)
    if values is None:
        return "The main path has one training seed, so how much one seed differs from the next is unknown. "
    low, high = number(min(values.values)), number(max(values.values))
    return (
        f"Over {len(values.values)} training seeds the default's {_NAMES[measure]} lies between {low} and {high} "
        f"(sd {number(values.sd)}): the intervals over items do not contain that. "
    )


def repair_note(run: Run) -> str:
    """In how many training seeds repair leaves fewer drift cases than Stage I had."""
    before, after = (default_seeds(run, "drift_rate", variant) for variant in ("distilled", "repaired"))
    if before is None or after is None:
        return ""
    fewer = sum(value < start for start, value in zip(before.values, after.values, strict=True))
    return (
        f"Repair leaves fewer drift cases than Stage I had in {fewer} of {len(after.values)} training seeds, on "
        f"average {percent(after.mean)} of the pairs after {percent(before.mean)}. "
    )


def seed_test(row: Entry, measure: Measure, against: str = "against_default") -> Entry | None:
    """The comparison of one training of an arm with the main path's seeds; None where there are not several."""
    key = "against_seeds" if against == "against_default" else "against_distilled_seeds"
    entry: Entry | None = row.get(key, {}).get(measure)
    return None if entry is None or entry["p"] is None else entry


def verdict(run: Run, name: str, measure: Measure, sign: int, against: str = "against_default") -> str:
    """Whether this run shows the paper's direction; sign +1: the arm's measure is above what it is compared with."""
    row = entry(run, name)
    if row is None:
        return f"{name} has not run."
    test = seed_test(row, measure, against)
    if test is None:
        return "Not shown: with one training seed nothing is known of another training."
    text = f"{_NAMES[measure]} {difference(test)} against {test['n_seeds']} seeds"
    if "p_holm" not in test:
        return f"Not tested: {text}, outside the family of tests."
    text += f", p (Holm) = {p_value(test['p_holm'])}"
    if test["p_holm"] >= ALPHA:
        return f"Not shown: {text}."
    return f"This run shows {'it' if sign * test['estimate'] > 0 else 'the opposite'}: {text}."


def robustness(run: Run, names: Sequence[str], measure: Measure, sign: int, predicate: str) -> str:
    """Which arms are worse than the default by more than another training of it would be.

    `sign` is the direction in which the measure is worse; `predicate` continues the sentence "Of 6 that ran, 2 ...".
    """
    arms = {name: row for name in names if (row := entry(run, name)) is not None}
    if not arms:
        return "None of these arms has run. "
    tests = {name: test for name, row in arms.items() if (test := seed_test(row, measure)) is not None}
    if not tests:
        return "With one training seed no arm can be told from another training of the default. "
    worse = [name for name, test in tests.items() if sign * test["estimate"] > 0 and test.get("p_holm", 1.0) < ALPHA]
    return f"Of {len(arms)} that ran, {len(worse)} {predicate}{': ' if worse else ''}{', '.join(worse)}. "
