"""What holds for the recipe: levels and differences of variants over training seeds and items (metrics/seeds.json).

A claim about distillation or repair is one about further trainings. Variants that share a training seed share its
Stage I, so they are compared within it, seed by seed and item by item. Intervals over the items of one training stand
in metrics/tests.json and repair.json.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np

from dart.core.records import SEVERITIES, Item
from dart.core.schema.method import Equivalence
from dart.metrics.run import CONTROL, StudentRun
from dart.stats.cluster import scenarios
from dart.stats.crossed import Crossed, crossed_equivalence, crossed_mean, crossed_ratio
from dart.stats.decision import Floats
from dart.stats.drift import Cases, cases
from dart.stats.harm import SCALE
from dart.stats.item_values import RATES, item_values, seed_tables
from dart.stats.pairing import in_item_order
from dart.stats.variance_components import variance_components

AUDIT_OF = {"distilled": "before", "repaired": "after", CONTROL: CONTROL}
COMPARED: tuple[tuple[str, str], ...] = (
    ("base", "distilled"),
    ("base", "repaired"),
    ("distilled", "repaired"),
    ("distilled", CONTROL),
    (CONTROL, "repaired"),
)
UNCHANGED: tuple[tuple[str, str], ...] = (("distilled", "repaired"), (CONTROL, "repaired"))
UNCHANGED_MEASURES: Mapping[str, str] = {"overall": "accuracy", "DIFF": "diff_accuracy", "EQUAL": "equal_accuracy"}
PARSED: Mapping[str, str] = {"D1-D4": "D", "N1-N4": "N"}  # rows of Table 2 that compare parsed answers
DRIFT = ("drift_rate", "grave_rate", "true_rate")
Tables = Mapping[str, Mapping[str, Floats]]  # variant -> measure -> seeds x items


def recipe_effects(
    items: Sequence[Item],
    by_seed: Mapping[int, StudentRun],
    truth: Mapping[int, Mapping[str, Cases] | None],
    confidence: float,
    margins: Equivalence,
) -> dict[str, Any]:
    """{levels, contrasts, reductions, severities, unchanged} of one student; every entry as `Crossed.json`.

    levels: {variant: {measure: entry}}. contrasts: {"<first>_<second>": {measure: entry of second - first, with sd:
    {seeds, scenarios, items, residual}}}; D1-D4 and N1-N4 are of the answers that parse on both sides. reductions:
    {audited, true: {repaired, control, difference: share of the distilled student's cases}}. severities: {variant:
    {severity: number of cases on one training}}. unchanged: equivalence tests of accuracy. Toxicity is H x 1e5.
    """
    tables = _tables(items, by_seed, truth)
    clusters = scenarios(items)
    return {
        "levels": {
            variant: {name: _level(name, table, confidence).json() for name, table in of_variant.items()}
            for variant, of_variant in tables.items()
        },
        "contrasts": {
            f"{first}_{second}": _contrast(tables[first], tables[second], clusters, confidence)
            | _parsed(items, by_seed, first, second, confidence)
            for first, second in COMPARED
            if first in tables and second in tables
        },
        "reductions": {
            basis: _reductions(tables, measure, confidence)
            for basis, measure in (("audited", "drift_rate"), ("true", "true_rate"))
            if measure in tables["distilled"]
        },
        "severities": {
            variant: {name: _cases(table, confidence) for name, table in of_variant.items()}
            for variant, of_variant in _severities(items, by_seed).items()
        },
        "unchanged": _unchanged(tables, margins),
    }


def _tables(
    items: Sequence[Item], by_seed: Mapping[int, StudentRun], truth: Mapping[int, Mapping[str, Cases] | None]
) -> dict[str, dict[str, Floats]]:
    common = set.intersection(*(set(student.variants) for student in by_seed.values()))
    tables = {}
    for variant in ("base", *(name for name in AUDIT_OF if name in common)):
        of_seeds = []
        for seed, student in by_seed.items():
            known = truth[seed]
            audited = None if variant == "base" else cases(student.audits[AUDIT_OF[variant]])
            true = None if variant == "base" or known is None else known[variant]
            what = f"{student.slot}/{variant}, seed {seed}"
            of_seeds.append(item_values(items, student.generations[variant], audited, true, what))
        tables[variant] = seed_tables(of_seeds)
        tables[variant]["toxicity"] = tables[variant]["toxicity"] * SCALE
    return tables


def _level(measure: str, table: Floats, confidence: float) -> Crossed:
    return crossed_mean(table, confidence, (0.0, 1.0) if measure in RATES else (0.0, SCALE))


def _contrast(
    first: Mapping[str, Floats], second: Mapping[str, Floats], clusters: Sequence[Any], confidence: float
) -> dict[str, Any]:
    entries = {}
    for measure in second.keys() & first.keys():
        difference = second[measure] - first[measure]
        limit = 1.0 if measure in RATES else SCALE
        whole = difference.shape[1] == len(clusters)
        entries[measure] = crossed_mean(difference, confidence, (-limit, limit)).json() | {
            "sd": _standard_deviations(difference, clusters if whole else None)
        }
    return dict(sorted(entries.items()))


def _standard_deviations(difference: Floats, clusters: Sequence[Any] | None) -> dict[str, float] | None:
    """Roots of the variance components, for `dart power`; None with one seed."""
    if min(difference.shape) < 2:
        return None
    parts = variance_components(difference, clusters)
    values = {"seeds": parts.seeds, "scenarios": parts.scenarios, "items": parts.items, "residual": parts.residual}
    return {name: round(sqrt(value), 6) for name, value in values.items() if value is not None}


def _parsed(
    items: Sequence[Item], by_seed: Mapping[int, StudentRun], first: str, second: str, confidence: float
) -> dict[str, Any]:
    """Differences among answers that parse on both sides: right answers more, as a share of such pairs.

    With the accuracy of either side on these pairs, and their number over all seeds.
    """
    entries = {}
    for row, letter in PARSED.items():
        part = [item for item in items if item.benchmark.startswith(letter)]
        ids = {item.id for item in part}
        gains, pairs, right_first = [], [], 0
        for student in by_seed.values():
            before, after = (
                in_item_order(
                    part, [a for a in student.generations[variant] if a.item_id in ids], f"{student.slot}/{variant}"
                )
                for variant in (first, second)
            )
            both = [b.prediction is not None and a.prediction is not None for b, a in zip(before, after, strict=True)]
            right = [
                (a.prediction == item.gold) - (b.prediction == item.gold)
                for item, b, a in zip(part, before, after, strict=True)
            ]
            pairs.append(both)
            right_first += sum(
                parsed and b.prediction == item.gold for item, b, parsed in zip(part, before, both, strict=True)
            )
            gains.append([gain * parsed for gain, parsed in zip(right, both, strict=True)])
        result = crossed_ratio(np.array(gains, dtype=float), np.array(pairs, dtype=float), confidence) if part else None
        if result is not None:
            level = right_first / sum(map(sum, pairs))
            levels = {first: round(level, 6), second: round(level + result.estimate, 6)}
            entries[row] = result.json() | {"levels": levels, "n_pairs": sum(map(sum, pairs))}
    return entries


def _reductions(tables: Tables, measure: str, confidence: float) -> dict[str, Any]:
    """Share of the distilled student's drift cases that repair and the control remove, net of new ones."""
    before = tables["distilled"][measure]
    after = {variant: tables[variant][measure] for variant in ("repaired", CONTROL) if variant in tables}
    removed = {variant: before - table for variant, table in after.items()}
    if CONTROL in after:
        removed["difference"] = after[CONTROL] - after["repaired"]
    ratios = {name: crossed_ratio(table, before, confidence) for name, table in removed.items()}
    for name in after:
        ratio = ratios[name]
        if ratio is not None and ratio.high is not None:  # no more than all cases can go
            ratios[name] = ratio._replace(high=min(1.0, ratio.high))
    return {name: None if ratio is None else ratio.json() for name, ratio in ratios.items()}


def _severities(items: Sequence[Item], by_seed: Mapping[int, StudentRun]) -> dict[str, dict[str, Floats]]:
    tables: dict[str, dict[str, Floats]] = {}
    for variant, when in AUDIT_OF.items():
        if all(when in student.audits for student in by_seed.values()):
            audited = [cases(student.audits[when]) for student in by_seed.values()]
            by_item = np.array([[found.get(item.id, "") for item in items] for found in audited])
            tables[variant] = {severity: (by_item == severity).astype(float) for severity in SEVERITIES}
    return tables


def _cases(table: Floats, confidence: float) -> dict[str, Any]:
    """The mean number of cases on one training, with its interval."""
    result, n = crossed_mean(table, confidence, (0.0, 1.0)), table.shape[1]
    low, high, se = (None if value is None else value * n for value in (result.low, result.high, result.se))
    return result._replace(estimate=result.estimate * n, low=low, high=high, se=se).json(3)


def _unchanged(tables: Tables, margins: Equivalence) -> list[dict[str, Any]]:
    """TOST over seeds and items of every claim that decisions did not change."""
    tested: list[dict[str, Any]] = []
    for first, second in UNCHANGED:
        for row, measure in UNCHANGED_MEASURES.items():
            if first in tables and measure in tables[second]:
                difference = tables[second][measure] - tables[first][measure]
                result = crossed_equivalence(difference, margins.accuracy)
                labels = {"base": first, "other": second, "row": row, "n_seeds": difference.shape[0]}
                tested.append(labels | {"n_items": difference.shape[1]} | result.json())
    return tested
