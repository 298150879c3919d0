"""Whether an arm shows the direction that the paper reports, measured against what another training seed does.

An interval over items knows nothing of training: a second training of the same recipe differs, too. Verdicts in the
notes of Tables 19-32 therefore ask for both, and are computed here from metrics/arms.json, never written down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import Literal, NamedTuple

from scipy import stats

from dart.metrics.run import Run
from dart.report.table import bounds, number, percent, signed
from dart.report.tables.ablation_cells import DEFAULT, DISTILLED, compared, entry

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
CONFIDENCE = 0.95
NO_PROOF = "An interval that holds 0 is no proof that nothing changed. "


class Seeds(NamedTuple):
    """A figure over training seeds; at least two."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return fmean(self.values)

    @property
    def sd(self) -> float:
        return stdev(self.values)

    @property
    def reach(self) -> float:
        """From the smallest to the largest."""
        return max(self.values) - min(self.values)

    @property
    def interval(self) -> tuple[float, float]:
        """Student's t for the mean."""
        n = len(self.values)
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * self.sd / sqrt(n)
        return self.mean - half, self.mean + half


def seeds(run: Run, measure: str, point: str = DEFAULT, paired: bool = False) -> Seeds | None:
    """The measure of a point over seeds; `paired`: its difference from the default of the same seed.

    None with fewer than two seeds.
    """
    found = run.metric("arms").get("seeds", {}).get(point, {}).get(measure, {})
    values = (found.get("difference", {}) if paired else found).get("points", {}).values()
    return Seeds(tuple(values)) if len(values) > 1 else None


def seed_note(run: Run, measure: Measure = "drift_rate") -> str:
    """What no interval over items contains, for the note of a table."""
    known = seeds(run, measure)
    if known is None:
        return "No arm tries another training seed, so how much one seed differs from the next is unknown. "
    low, high = number(min(known.values)), number(max(known.values))
    return (
        f"Over {len(known.values)} training seeds the default's {_NAMES[measure]} lies between {low} and {high} "
        f"(sd {number(known.sd)}): no interval here contains that. "
    )


def repair_note(run: Run) -> str:
    """In how many training seeds repair leaves fewer drift cases than Stage I had."""
    known, before = seeds(run, "drift_rate"), entry(run, DISTILLED)
    if known is None or before is None:
        return ""
    rate = before["drift"]["rate"]
    fewer = sum(value < rate for value in known.values)
    return (
        f"Repair leaves fewer drift cases than Stage I had ({percent(rate)} of the pairs) in {fewer} of "
        f"{len(known.values)} training seeds, on average {percent(known.mean)}. "
    )


def verdict(run: Run, name: str, measure: Measure, sign: int, against: str = "against_default") -> str:
    """Whether this run shows the paper's direction; sign +1: the arm's measure is above what it is compared with."""
    found = entry(run, name)
    test = None if found is None else compared(found, *_WHERE[measure], against=against)
    if test is None or test["difference"]["ci"] is None:
        return f"{name} has not run."
    low, high = test["difference"]["ci"]
    if low <= 0 <= high:
        return f"This run does not show it: the interval of the difference holds 0{_paired(run, name, measure, sign)}."
    claim = "it" if sign * test["difference"]["estimate"] > 0 else "the opposite"
    paired = seeds(run, measure, name, paired=True) if against == "against_default" else None
    if paired is not None:
        sure = paired.interval[0] > 0 or paired.interval[1] < 0
        shows = f"shows {claim}" if sure and paired.mean * low > 0 else "does not show it"
        return f"This run {shows}{_paired(run, name, measure, sign)}."
    known = seeds(run, measure)
    if known is not None and abs(test["difference"]["estimate"]) <= known.reach:
        what = "it" if claim == "it" else "it, nor the opposite"
        return f"This run does not show {what}: another training seed makes as large a difference."
    return f"This run shows {claim}{'' if known else ' (with one training seed)'}."


def _paired(run: Run, name: str, measure: Measure, sign: int) -> str:
    paired = seeds(run, measure, name, paired=True)
    if paired is None:
        return ""
    agree = sum(sign * value > 0 for value in paired.values)
    return (
        f" (over {len(paired.values)} training seeds, paired: {signed(paired.mean)} {bounds(paired.interval)}, "
        f"{agree} of them in the paper's direction)"
    )


def robustness(run: Run, names: Sequence[str], measure: Measure, bad: int, what: str) -> str:
    """Which arms are surely worse than the default, and by more than training seeds differ; `bad` is the sign."""
    ran = {name: found for name in names if (found := entry(run, name)) is not None}
    known = seeds(run, measure)
    worse: list[str] = []
    noise: list[str] = []
    for name, found in ran.items():
        test = compared(found, *_WHERE[measure])
        if test is None or test["difference"]["ci"] is None:
            continue
        if min(bad * bound for bound in test["difference"]["ci"]) > 0:
            within = known is not None and abs(test["difference"]["estimate"]) <= known.reach
            (noise if within else worse).append(name)
    if not ran:
        return "None of these arms has run. "
    text = f"Of {len(ran)} that ran, {len(worse)} {what}{': ' if worse else ''}{', '.join(worse)}. "
    if noise:
        text += f"{', '.join(noise)}: as large a difference as another training seed makes. "
    return text
