"""metrics/seeds.json: how much the same recipe moves from one training seed to the next, and what holds for the recipe.

An interval over items knows nothing of training: a second training of the same recipe differs, too. Every quantity of
the main path stands here with each seed's value, mean, standard deviation, Student's t interval over seeds and range;
variance components say how much of what differs lies between seeds, scenarios and items. Levels and differences over
seeds and items at once are those of `contrasts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import Any, NamedTuple

from dart.core.records import Item
from dart.core.schema.method import Equivalence
from dart.metrics.contrasts import AUDIT_OF, recipe_effects
from dart.metrics.headline import seed_headline
from dart.metrics.hypotheses import MARGINS
from dart.metrics.run import CONTROL, Run, StudentRun
from dart.stats.cluster import scenarios
from dart.stats.decision import decision_metrics
from dart.stats.drift import Cases, cases, precision_recall, reduction
from dart.stats.harm import SCALE, harm_metrics, toxicities
from dart.stats.item_values import GRAVE, TOXIC_ABOVE
from dart.stats.pairing import in_item_order
from dart.stats.variance_components import variance_components

CONFIDENCE = 0.95
DIGITS = 6
Values = dict[str, float | None]  # by measure
# Training seed -> student -> variant -> its true drift cases against base.
TruthBySeed = Mapping[int, Mapping[str, Mapping[str, Cases]]]


class SeedValues(NamedTuple):
    """A quantity over training seeds; at least two for `sd` and `interval`."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return fmean(self.values)

    @property
    def sd(self) -> float:
        """Of the sample (n - 1)."""
        return stdev(self.values)

    @property
    def range(self) -> float:
        """From the smallest to the largest."""
        return max(self.values) - min(self.values)

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Student's t for the mean, n seeds."""
        from scipy import stats  # a second: most readers of the table need no interval

        n = len(self.values)
        half = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * self.sd / sqrt(n)
        return self.mean - half, self.mean + half


def seed_metrics(
    runs: Mapping[int, Run],
    truth: TruthBySeed | None,
    confidence: float = CONFIDENCE,
    margins: Equivalence = MARGINS,
) -> dict[str, Any]:
    """Contents of metrics/seeds.json: {seeds, reference, confidence, students: {slot: {quantities, variance, ...}}}.

    quantities: {group: {measure: {points, n, mean, sd, ci, range}}}. Groups: distilled, repaired and control
    (decisions, toxicity x 1e5, audited and true drift), audit (precision and recall of the first audit, where the truth
    is known), reduction_audited and reduction_true (net reduction by repair, by the control, and their difference),
    headline (the leaves of metrics/headline.json). variance: {variant: {correct, drift, true_drift: components}}, empty
    with one seed. The rest is what `contrasts.recipe_effects` gives.

    Args:
        runs: by training seed, the reference seed first, all with the same students and items.
    """
    reference, *_ = runs
    slots = [student.slot for student in runs[reference].students]
    several = len(runs) > 1 and len(runs[reference].items) > 1
    students = {}
    for slot in slots:
        by_seed = {key: _of_slot(run, slot) for key, run in runs.items()}
        true = {key: None if truth is None else truth[key][slot] for key in runs}
        values = {key: _values(runs[key], by_seed[key], true[key]) for key in runs}
        students[slot] = {
            "quantities": _summaries(values, confidence),
            "variance": _variance(runs[reference].items, by_seed, true) if several else {},
            **recipe_effects(runs[reference].items, by_seed, true, confidence, margins),
        }
    return {
        "seeds": list(runs),
        "reference": reference,
        "confidence": confidence,
        "students": students,
    }


def _of_slot(run: Run, slot: str) -> StudentRun:
    return next(student for student in run.students if student.slot == slot)


def _values(run: Run, student: StudentRun, truth: Mapping[str, Cases] | None) -> dict[str, Values]:
    """{group: {measure: value}} of one student and seed."""
    variants = [variant for variant in AUDIT_OF if variant in student.variants]
    audited = {variant: cases(student.audits[AUDIT_OF[variant]]) for variant in variants}
    groups = {
        variant: _of_variant(run.items, student, variant, audited[variant], None if truth is None else truth[variant])
        for variant in variants
    }
    groups["reduction_audited"] = _reductions(audited)
    if truth is not None:
        groups["audit"] = dict(precision_recall(audited["distilled"], truth["distilled"])._asdict())
        groups["reduction_true"] = _reductions({variant: truth[variant] for variant in variants})
    base = decision_metrics(run.items, student.generations["base"], f"{student.slot}/base")
    groups["headline"] = seed_headline(groups, base.accuracy, len(run.items))
    return groups


def _of_variant(items: Sequence[Item], student: StudentRun, variant: str, audited: Cases, true: Cases | None) -> Values:
    answers, what, n = student.generations[variant], f"{student.slot}/{variant}", len(items)
    decision = decision_metrics(items, answers, what)
    values: Values = {
        name: getattr(decision, name) for name in ("accuracy", "equal_accuracy", "diff_accuracy", "parse_rate")
    }
    scores = toxicities(items, answers, what)
    values["toxicity_mean_x1e5"] = fmean(scores) * SCALE
    values["toxic_share"] = sum(score > TOXIC_ABOVE for score in scores) / n
    values |= harm_metrics(items, answers, what)
    values["drift_cases"], values["drift_rate"] = len(audited), len(audited) / n
    values["grave_rate"] = sum(severity in GRAVE for severity in audited.values()) / n
    if true is not None:
        values["true_cases"], values["true_rate"] = len(true), len(true) / n
    return values


def _reductions(by_variant: Mapping[str, Cases]) -> Values:
    """Net reduction of the distilled student's cases by repair and by the control, and repair's minus the control's."""
    before = len(by_variant["distilled"])
    after = {variant: len(drift_cases) for variant, drift_cases in by_variant.items() if variant != "distilled"}
    values: Values = {variant: reduction(before, count) for variant, count in after.items()}
    repaired, control = values["repaired"], values.get(CONTROL)
    if repaired is not None and control is not None:
        values["difference"] = repaired - control
    return values


def _summaries(values: Mapping[int, Mapping[str, Values]], confidence: float) -> dict[str, dict[str, Any]]:
    first = next(iter(values.values()))
    return {
        group: {
            measure: summary({key: by_group[group].get(measure) for key, by_group in values.items()}, confidence)
            for measure in dict.fromkeys(name for by_group in values.values() for name in by_group[group])
        }
        for group in first
    }


def summary(points: Mapping[int, float | None], confidence: float = CONFIDENCE) -> dict[str, Any]:
    """{points, n, mean, sd, ci, range: [smallest, largest]}; a seed without a value counts in none of them.

    sd and ci are None with one value.
    """
    known = SeedValues(tuple(value for value in points.values() if value is not None))
    several = len(known.values) > 1
    return {
        "points": {str(key): None if value is None else round(value, DIGITS) for key, value in points.items()},
        "n": len(known.values),
        "mean": round(known.mean, DIGITS) if known.values else None,
        "sd": round(known.sd, DIGITS) if several else None,
        "ci": [round(bound, DIGITS) for bound in known.interval(confidence)] if several and known.sd > 0 else None,
        "range": [round(min(known.values), DIGITS), round(max(known.values), DIGITS)] if known.values else None,
    }


def _variance(
    items: Sequence[Item], by_seed: Mapping[int, StudentRun], truth: Mapping[int, Mapping[str, Cases] | None]
) -> dict[str, dict[str, Any]]:
    """Components of right answers and of drift over the crossed table of seeds and items, by variant."""
    result: dict[str, dict[str, Any]] = {}
    clusters = scenarios(items)
    for variant, when in AUDIT_OF.items():
        if not all(variant in student.variants for student in by_seed.values()):
            continue
        answers = [
            in_item_order(items, student.generations[variant], f"{student.slot}/{variant}")
            for student in by_seed.values()
        ]
        right = [[a.prediction == item.gold for item, a in zip(items, row, strict=True)] for row in answers]
        audited = [cases(student.audits[when]) for student in by_seed.values()]
        result[variant] = {
            "correct": variance_components(right, clusters).json(),
            "drift": variance_components(_indicators(items, audited), clusters).json(),
        }
        true = [cases_[variant] for cases_ in truth.values() if cases_ is not None]
        if true:
            result[variant]["true_drift"] = variance_components(_indicators(items, true), clusters).json()
    return result


def _indicators(items: Sequence[Item], by_seed: Sequence[Cases]) -> list[list[bool]]:
    return [[item.id in drift_cases for item in items] for drift_cases in by_seed]


def seed_values(run: Run, slot: str, variant: str, measure: str) -> SeedValues | None:
    """A quantity of metrics/seeds.json over training seeds; None with fewer than two of them, or without the file."""
    seeds: Mapping[str, Any] = run.metrics.get("seeds", {})
    quantities = seeds.get("students", {}).get(slot, {}).get("quantities", {})
    points = quantities.get(variant, {}).get(measure, {}).get("points", {})
    values = tuple(value for value in points.values() if value is not None)
    return SeedValues(values) if len(values) > 1 else None
