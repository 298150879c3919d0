"""What an arm came to, beside the default recipe on the same items, with paired tests and intervals.

An arm is one training. Against the default of the same training seed it is compared item by item, which says whether
these two trainings differ; whether the recipes do is asked of all the default's seeds (`against_seeds`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dart.core.records import AuditRecord, Generation, Item, Severity
from dart.core.schema.method import Statistics
from dart.core.seeds import seed_for
from dart.stats.bootstrap import paired_interval, relative_median_change
from dart.stats.compare import paired_rates, rounded, significant
from dart.stats.crossed import against_seeds
from dart.stats.decision import Floats, decision_metrics
from dart.stats.drift import cases, severity_counts
from dart.stats.harm import SCALE, TASK_TYPES, change_json, explained_pairs, harm_metrics
from dart.stats.item_values import item_values, seed_tables
from dart.stats.paired import adjusted, difference_interval, mcnemar, wilcoxon

SEVERE_OR_WORSE = ("severe", "extreme")
# Entries of a comparison that have a p-value; each is corrected over all arms on its own.
TESTED = (
    ("decision", "overall"),
    ("decision", "DIFF"),
    ("decision", "EQUAL"),
    ("decision", "D"),
    ("decision", "N"),
    ("toxicity",),
    ("drift",),
    ("grave",),
    ("true",),
)


# What is called significant of the comparisons with several seeds, as one family over all arms: a repaired student
# against the default, one after Stage I against the distilled student, and its decisions against the default, too.
FAMILY = ("accuracy", "equal_accuracy", "drift_rate")
DECISIONS = ("accuracy", "equal_accuracy")


class Arm(NamedTuple):
    """Final answers of an arm (or of the default recipe) with their audit against base."""

    answers: Sequence[Generation]
    audit: Sequence[AuditRecord]
    true: Mapping[str, Severity] | None  # known in the embedded world


def arm_report(
    items: Sequence[Item], arm: Arm, default: Arm, statistics: Statistics, seed: int, name: str
) -> dict[str, Any]:
    """One arm: {n, decision, by_task_type, harm, drift, true, against_default}; the last as `differences` gives it.

    Everything is over `items`, which may be a part of the test set.
    """
    arm, default = (_restricted(of, items) for of in (arm, default))
    n = len(items)
    decision = decision_metrics(items, arm.answers, name).model_dump(exclude={"by_benchmark"})
    report: dict[str, Any] = {
        "n": n,
        "decision": {key: round(value, 4) if isinstance(value, float) else value for key, value in decision.items()},
        "by_task_type": _by_task_type(items, arm.answers),
        "harm": harm_metrics(items, arm.answers, name),
        "drift": severity_counts(cases(arm.audit), n),
        "against_default": differences(items, arm, default, statistics, seed, name),
    }
    if arm.true is not None and default.true is not None:
        report["true"] = severity_counts(arm.true, n)
    return report


def differences(
    items: Sequence[Item], arm: Arm, other: Arm, statistics: Statistics, seed: int, name: str
) -> dict[str, Any]:
    """{decision: {overall, DIFF, EQUAL, D, N}, toxicity, drift, grave, true}: arm - other on the same items, with p.

    Drift differences are of rates, with McNemar's exact p over the pairs; `only_default` and `only_arm` count what one
    side alone has (right answers, or cases). The toxicity's p is the paired test of the mean; see `_toxicity`.
    """
    arm, other = (_restricted(of, items) for of in (arm, other))
    entries = {
        "decision": _decision(items, arm, other, statistics, name),
        "toxicity": _toxicity(items, arm, other, statistics, seed, name),
        "drift": _drift(items, cases(arm.audit), cases(other.audit), statistics),
        "grave": _drift(items, _grave(arm), _grave(other), statistics),
    }
    if arm.true is not None and other.true is not None:
        entries["true"] = _drift(items, arm.true, other.true, statistics)
    return entries


def seed_differences(
    items: Sequence[Item], arm: Arm, seeds: Sequence[Arm], statistics: Statistics, name: str
) -> dict[str, Any]:
    """{measure: {estimate, ci, se, p, n_seeds, n_items, reference}}: the arm's one training against several.

    `reference` is the mean of the default's trainings. Student's t for a new observation (`crossed.against_seeds`);
    toxicity is the mean H x 1e5. Drift is left out where a training has no audit at the arms' threshold.
    """

    def values(one: Arm, what: str) -> dict[str, Floats]:
        part = _restricted(one, items)
        audited = cases(part.audit) if part.audit else None
        return item_values(items, part.answers, audited, part.true, what)

    own = values(arm, name)
    tables = seed_tables([values(each, f"{name}: default, training {index}") for index, each in enumerate(seeds)])
    entries = {}
    for measure in own.keys() & tables.keys():
        scale = SCALE if measure == "toxicity" else 1.0
        result = against_seeds(scale * own[measure], scale * tables[measure], statistics.confidence)
        entries[measure] = result.json() | {"reference": round(scale * float(tables[measure].mean()), 6)}
    return dict(sorted(entries.items()))


def contrast(
    items: Sequence[Item], arm: Arm, base: Sequence[Generation], statistics: Statistics, seed: int, name: str
) -> dict[str, Any]:
    """{accuracy, equal_accuracy, parse_rate: intervals of arm - base; toxicity: as in `differences`} (Table 4)."""
    other = _restricted(Arm(base, [], None), items)
    arm = _restricted(arm, items)
    entry = paired_rates(items, other.answers, arm.answers, statistics.confidence, f"{name}/base")
    rates = ("accuracy", "equal_accuracy", "parse_rate")
    gains = {rate: {key: entry[f"{rate}_difference"][key] for key in ("estimate", "ci")} for rate in rates}
    return gains | {"toxicity": _toxicity(items, arm, other, statistics, seed, f"{name}/base")}


def _by_task_type(items: Sequence[Item], answers: Sequence[Generation]) -> dict[str, float]:
    """Accuracy on descriptive (D) and normative (N) benchmarks, as far as the items have them (Table 21)."""
    right = {answer.item_id: answer.prediction for answer in answers}
    toxicity = {}
    for letter in TASK_TYPES.values():
        part = [right[item.id] == item.gold for item in items if item.benchmark.startswith(letter)]
        if part:
            toxicity[letter] = round(sum(part) / len(part), 4)
    return toxicity


def _restricted(arm: Arm, items: Sequence[Item]) -> Arm:
    ids = {item.id for item in items}
    return Arm(
        [answer for answer in arm.answers if answer.item_id in ids],
        [record for record in arm.audit if record.item_id in ids],
        None if arm.true is None else {item: severity for item, severity in arm.true.items() if item in ids},
    )


def _grave(arm: Arm) -> dict[str, Severity]:
    return {item: severity for item, severity in cases(arm.audit).items() if severity in SEVERE_OR_WORSE}


def _decision(items: Sequence[Item], arm: Arm, default: Arm, statistics: Statistics, name: str) -> dict[str, Any]:
    entries = {}
    for row in ("overall", "DIFF", "EQUAL", *TASK_TYPES.values()):
        chosen = [item for item in items if row in ("overall", item.condition, item.benchmark[0])]
        ids = {item.id for item in chosen}
        first, second = ([answer for answer in of.answers if answer.item_id in ids] for of in (default, arm))
        if chosen:
            entry = paired_rates(chosen, first, second, statistics.confidence, f"{name}/{row}")
            test = entry["mcnemar"]
            entries[row] = {
                "difference": entry["accuracy_difference"],
                "only_default": test["b"],
                "only_arm": test["c"],
                "p": test["p_exact"],
            }
    return entries


def _toxicity(
    items: Sequence[Item], arm: Arm, other: Arm, statistics: Statistics, seed: int, name: str
) -> dict[str, Any]:
    """Harm as `change_json` has it over the prompts that both explain, with the mean's p; the median is the paper's."""
    of_other, of_arm = explained_pairs(items, other.answers, arm.answers, name)
    harm: dict[str, Any] = rounded(change_json(of_other, of_arm, statistics.confidence))
    if not of_arm:
        return {**harm, "median_change": {"estimate": None, "ci": None}, "p": 1.0, "rank_biserial": None}
    median = paired_interval(of_other, of_arm, relative_median_change, statistics, seed_for(seed, "arm toxicity", name))
    ranks = wilcoxon(of_other, of_arm)
    p = significant(harm["mean"]["p"])
    return {**harm, "median_change": median.json(), "p": p, "rank_biserial": round(ranks.effect, 6)}


def _drift(
    items: Sequence[Item],
    arm: Mapping[str, Severity],
    default: Mapping[str, Severity],
    statistics: Statistics,
) -> dict[str, Any]:
    """Difference of the share of drift cases, paired by item, with Tango's interval."""
    b, c = len(default.keys() - arm.keys()), len(arm.keys() - default.keys())
    difference = difference_interval(b, c, len(items), statistics.confidence)
    return {"difference": difference.json(), "only_default": b, "only_arm": c, "p": significant(mcnemar(b, c).p_exact)}


def duplicates(answers: Mapping[str, Sequence[Generation]]) -> dict[str, str]:
    """{run: an earlier run with the same texts and decisions}: such a run tests nothing that the other does not."""
    first: dict[tuple[tuple[str, str, str | None], ...], str] = {}
    same = {}
    for name, texts in answers.items():
        key = tuple(sorted((answer.item_id, answer.text, answer.prediction) for answer in texts))
        if key in first:
            same[name] = first[key]
        else:
            first[key] = name
    return same


def corrected(reports: dict[str, Any], against: str = "against_default") -> dict[str, Any]:
    """The reports with p_holm beside every p, corrected over all arms that have the comparison, for each measure.

    A report that is `same_as` another one is the same hypothesis and has its p_holm; one that is the same as what it is
    compared with (or has `context`, a stage of the main path) is none, and has no p_holm.
    """
    for path in TESTED:
        entries = {name: entry for name, report in reports.items() if (entry := _entry(report, against, path))}
        _correct(reports, entries)
    return reports


def corrected_over_seeds(reports: dict[str, Any]) -> dict[str, Any]:
    """The reports with p_holm in `against_seeds` and `against_distilled_seeds`: one family over all arms (`FAMILY`)."""
    entries: dict[tuple[str, str, str], dict[str, Any]] = {}
    for name, report in reports.items():
        after_stage1 = "against_distilled_seeds" in report
        for against, measures in (
            ("against_seeds", DECISIONS if after_stage1 else FAMILY),
            ("against_distilled_seeds", FAMILY),
        ):
            for measure in measures:
                entry = report.get(against, {}).get(measure)
                if entry is not None and entry["p"] is not None:
                    entries[name, against, measure] = entry
    tested = {key: entry for key, entry in entries.items() if _is_hypothesis(reports, key[0])}
    adjusted_values = adjusted([entry["p"] for entry in tested.values()], "holm")
    for entry, p in zip(tested.values(), adjusted_values, strict=True):
        entry["p_holm"] = significant(p)
    for (name, against, measure), entry in entries.items():
        twin = tested.get((reports[name].get("same_as", ""), against, measure))
        if twin is not None and (name, against, measure) not in tested:
            entry["p_holm"] = twin["p_holm"]
    return reports


def _entry(report: Mapping[str, Any], against: str, path: Sequence[str]) -> dict[str, Any]:
    entry = report.get(against, {})
    for key in path:
        entry = entry.get(key, {})
    found: dict[str, Any] = entry
    return found


def _is_hypothesis(reports: Mapping[str, Any], name: str) -> bool:
    return not reports[name].get("context") and "same_as" not in reports[name]


def _correct(reports: Mapping[str, Any], entries: Mapping[str, dict[str, Any]]) -> None:
    tested = {name: entry for name, entry in entries.items() if _is_hypothesis(reports, name)}
    for entry, p in zip(tested.values(), adjusted([e["p"] for e in tested.values()], "holm"), strict=True):
        entry["p_holm"] = significant(p)
    for name, entry in entries.items():
        twin = tested.get(reports[name].get("same_as", ""))
        if twin is not None:
            entry["p_holm"] = twin["p_holm"]
