"""Whether an arm shows the direction that the paper reports, measured against what another training seed does.

An interval over items knows nothing of training: a second training of the same recipe differs, too. Verdicts in the
notes of Tables 19-32 therefore ask for both, and are computed here from metrics/arms.json and metrics/seeds.json, never
written down. Arms have one training seed, the reference seed; the spread is the main path's, of the same student.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from dart.metrics.run import Run
from dart.metrics.training_seeds import SeedValues, seed_values
from dart.report.ablation_entries import ablation_student, comparison, entry
from dart.report.table import number, percent

Measure = Literal["accuracy", "equal_accuracy", "drift_rate", "grave_rate", "true_rate"]
_WHERE: Mapping[Measure, tuple[str, ...]] = {
    "accuracy": ("decision", "overall"),
    "equal_accuracy": ("decision", "EQUAL"),
    "drift_rate": ("drift",),
    "grave_rate": ("grave",),
    "true_rate": ("true",),
}
_NAMES: Mapping[Measure, str] = {
    "accuracy": "accuracy",
    "equal_accuracy": "EQUAL accuracy",
    "drift_rate": "drift rate",
    "grave_rate": "rate of severe or extreme cases",
    "true_rate": "true drift rate",
}
NO_PROOF = "An interval that holds 0 is no proof that nothing changed. "


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
        f"(sd {number(values.sd)}): no interval here contains that. "
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


def verdict(run: Run, name: str, measure: Measure, sign: int, against: str = "against_default") -> str:
    """Whether this run shows the paper's direction; sign +1: the arm's measure is above what it is compared with."""
    row = entry(run, name)
    test = None if row is None else comparison(row, *_WHERE[measure], against=against)
    if test is None or test["difference"]["ci"] is None:
        return f"{name} has not run."
    low, high = test["difference"]["ci"]
    if low <= 0 <= high:
        return "This run does not show it: the interval of the difference holds 0."
    claim = "it" if sign * test["difference"]["estimate"] > 0 else "the opposite"
    seeds = default_seeds(run, measure, "repaired" if against == "against_default" else "distilled")
    if seeds is not None and abs(test["difference"]["estimate"]) <= seeds.range:
        text = "it" if claim == "it" else "it, nor the opposite"
        return f"This run does not show {text}: another training seed makes as large a difference."
    return f"This run shows {claim}{'' if seeds else ' (with one training seed)'}."


def robustness(run: Run, names: Sequence[str], measure: Measure, sign: int, predicate: str) -> str:
    """Which arms are significantly worse than the default, and by more than training seeds differ.

    `sign` is the direction in which the measure is worse; `predicate` continues the sentence "Of 6 that ran, 2 ...".
    """
    arms = {name: row for name in names if (row := entry(run, name)) is not None}
    seeds = default_seeds(run, measure)
    worse: list[str] = []
    noise: list[str] = []
    for name, row in arms.items():
        test = comparison(row, *_WHERE[measure])
        if test is None or test["difference"]["ci"] is None:
            continue
        if min(sign * bound for bound in test["difference"]["ci"]) > 0:
            within_seeds = seeds is not None and abs(test["difference"]["estimate"]) <= seeds.range
            (noise if within_seeds else worse).append(name)
    if not arms:
        return "None of these arms has run. "
    text = f"Of {len(arms)} that ran, {len(worse)} {predicate}{': ' if worse else ''}{', '.join(worse)}. "
    if noise:
        text += f"{', '.join(noise)}: as large a difference as another training seed makes. "
    return text
