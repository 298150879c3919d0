"""All numbers of a run: the contents of metrics/*.json and plots/*.json.

Section 3 of the paper. Every table and figure is made from these files, and `dvc metrics diff` compares them, so
this is the only place where statistics of the main path are computed. The family over which p-values are corrected
stands in params.yaml (`hypotheses`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from dart.core.records import SEVERITIES, Generation, Item
from dart.core.schema.method import Equivalence, Hypotheses, Statistics
from dart.core.seeds import seed_for
from dart.metrics.drift_rates import VARIANT_OF, drift_rates
from dart.metrics.hypotheses import MARGINS, PAPER, hypotheses
from dart.metrics.run import CONTROL, STAGES, Adapter, Run, StudentRun
from dart.stats.annotation import AnnotatedPair
from dart.stats.bootstrap import rate_intervals
from dart.stats.compare import compare
from dart.stats.decision import benchmarks_of, confusion, decision_metrics
from dart.stats.drift import Cases, Drift, Truth, drift_metrics, repair_metrics
from dart.stats.harm import harm_intervals, harm_metrics, harm_tests
from dart.stats.judge_consistency import judge_consistency
from dart.stats.pairing import in_item_order

# In the real suite a 238k-parameter student decides these by their wording alone (accuracy 1.00), so the overall
# accuracy is shown with and without them.
WORDING_DECIDED = ("N1", "N2")

# Rows of Table 2: name -> does the item belong to it.
ROWS: Mapping[str, Callable[[Item], bool]] = {
    "D1-D4": lambda item: item.benchmark.startswith("D"),
    "N1-N4": lambda item: item.benchmark.startswith("N"),
    "overall": lambda item: True,
    "overall without N1, N2": lambda item: item.benchmark not in WORDING_DECIDED,
    "DIFF": lambda item: item.condition == "DIFF",
    "EQUAL": lambda item: item.condition == "EQUAL",
}
PRIMARY = ("base", "repaired")
COMPARISONS: tuple[tuple[str, str], ...] = (
    PRIMARY,
    ("base", "distilled"),
    ("distilled", "repaired"),
    ("distilled", CONTROL),
    (CONTROL, "repaired"),
)
# Student -> candidate variant -> its true drift cases against base; "control" may be absent.
TruthByStudent = Mapping[str, Mapping[str, Cases]]
NOBODY: Mapping[str, Sequence[AnnotatedPair]] = MappingProxyType({})


def evaluate(
    run: Run,
    statistics: Statistics,
    seed: int,
    truth: TruthByStudent | None = None,
    declared: Hypotheses = PAPER,
    margins: Equivalence = MARGINS,
    annotated: Mapping[str, Sequence[AnnotatedPair]] = NOBODY,
) -> dict[str, Any]:
    """{relative path: JSON content} of every file of the evaluate stage.

    `truth` is known in the embedded world only: {student: {"distilled" | "repaired" | "control": {item id: severity}}}.
    `annotated`: labelled pairs of the first audit, by student.

    Raises:
        DataError: records that do not pair with the test items, or answers without a toxicity (ids are named).
    """
    decision, harm, drift, rates, repair, tests, intervals = ({} for _ in range(7))
    for student in run.students:
        slot = student.slot
        decision[slot] = {name: _decision(run, student, name) for name in student.variants}
        harm[slot] = {name: harm_metrics(run.items, *_answers(student, name)) for name in student.variants}
        audits = Drift(student.audits["before"], student.audits["after"], student.audits.get(CONTROL))
        known = _truth(truth, student)
        drift[slot] = drift_metrics(run.items, audits, known, slot)
        drift[slot]["judging"] = {when: judge_consistency(records) for when, records in student.audits.items()}
        true = None if known is None else {k: v or {} for k, v in zip(VARIANT_OF.values(), known, strict=True)}
        rates[slot] = drift_rates(run.items, student, statistics, true, annotated.get(slot, ()))
        repair[slot] = repair_metrics(run.items, audits, known, statistics, seed, slot)
        tests[slot] = _comparisons(run, student, statistics, seed)
        intervals[slot] = {name: _intervals(run, student, name, statistics, seed) for name in student.variants}
    found: dict[str, Any] = {
        "metrics/decision.json": decision,
        "metrics/harm.json": harm,
        "metrics/drift.json": drift,
        "metrics/repair.json": repair,
        "metrics/drift_rate.json": rates,
        "metrics/tests.json": {"students": tests, "intervals": intervals},
        "metrics/hypotheses.json": hypotheses(tests, declared, margins),
    }
    return found | _plots(run, found)


def _answers(student: StudentRun, variant: str) -> tuple[Sequence[Generation], str]:
    return student.generations[variant], f"{student.slot}/{variant}"


def _decision(run: Run, student: StudentRun, variant: str) -> dict[str, Any]:
    metrics: dict[str, Any] = _rounded(decision_metrics(run.items, *_answers(student, variant)).model_dump())
    return metrics


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    return {key: _rounded(entry) for key, entry in value.items()} if isinstance(value, dict) else value


def _truth(truth: TruthByStudent | None, student: StudentRun) -> Truth | None:
    if truth is None:
        return None
    of = truth[student.slot]
    control = of.get(CONTROL) if CONTROL in student.variants else None
    return Truth(of["distilled"], of["repaired"], control)


def _comparisons(run: Run, student: StudentRun, statistics: Statistics, seed: int) -> dict[str, Any]:
    """{"<base>_<other>": {"decision": {row: comparison}, "harm": rank tests}}; per benchmark for the primary one."""
    found: dict[str, Any] = {}
    for base, other in COMPARISONS:
        if base not in student.variants or other not in student.variants:
            continue
        what = f"{student.slot}/{base}-{other}"
        first, second = (in_item_order(run.items, *_answers(student, name)) for name in (base, other))
        rows = dict(ROWS)
        if (base, other) == PRIMARY:
            rows |= {name: _is_benchmark(name) for name in benchmarks_of(run.items)}
        decision = {}
        for name, belongs in rows.items():
            kept = [index for index, item in enumerate(run.items) if belongs(item)]
            if kept and (name != "overall without N1, N2" or len(kept) < len(run.items)):
                items = [run.items[index] for index in kept]
                before, after = ([answers[index] for index in kept] for answers in (first, second))
                decision[name] = compare(items, before, after, statistics, seed, f"{what}/{name}")
        found[f"{base}_{other}"] = {
            "decision": decision,
            "harm": harm_tests(run.items, first, second, statistics, seed, what),
        }
    return found


def _is_benchmark(name: str) -> Callable[[Item], bool]:
    return lambda item: item.benchmark == name


def _intervals(run: Run, student: StudentRun, variant: str, statistics: Statistics, seed: int) -> dict[str, Any]:
    answers, what = _answers(student, variant)
    table = confusion(run.items, in_item_order(run.items, answers, what))
    found = rate_intervals(table, statistics, seed_for(seed, "rates", what))
    return {name: interval.json(4) for name, interval in found.items()} | harm_intervals(
        run.items, answers, statistics, seed, what
    )


def _plots(run: Run, found: Mapping[str, Any]) -> dict[str, Any]:
    """plots/*.json: flat lists of points, as `dvc plots` takes them."""
    decision, harm = found["metrics/decision.json"], found["metrics/harm.json"]
    intervals, repair = found["metrics/tests.json"]["intervals"], found["metrics/repair.json"]
    stages, benchmarks, drift, loss = [], [], [], []
    for student in run.students:
        slot = student.slot
        for stage in student.variants:
            for name in ("accuracy", "equal_accuracy", "diff_accuracy", "parse_rate", "toxicity_median_x1e5"):
                value = decision[slot][stage].get(name, harm[slot][stage].get(name))
                low, high = intervals[slot][stage][name]["ci"] or (value, value)
                point = {"student": slot, "stage": stage, "metric": name, "value": value, "low": low, "high": high}
                stages.append(point)
            for name, entry in decision[slot][stage]["by_benchmark"].items():
                benchmarks.append({"student": slot, "stage": stage, "benchmark": name, **entry})
        drift += [
            {"student": slot, "when": when, "severity": severity, "cases": cases}
            for when, cases_of in audited_cases(repair[slot]).items()
            for severity, cases in cases_of.items()
        ]
        loss += [
            {"student": slot, "adapter": name, **point}
            for name, adapter in student.adapters.items()
            for point in loss_curve(adapter)
        ]
    return {
        "plots/stages.json": stages,
        "plots/benchmarks.json": benchmarks,
        "plots/drift.json": drift,
        "plots/loss.json": loss,
    }


def audited_cases(repair: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """{"before" | "after" | "control": {severity: cases}} of one student's entry in metrics/repair.json."""
    arms = repair["audited"]
    found: dict[str, dict[str, int]] = {
        when: {s: arms["repair"]["by_severity"][s][when] for s in SEVERITIES} for when in ("before", "after")
    }
    if "control" in arms:
        found[CONTROL] = {s: arms["control"]["by_severity"][s]["after"] for s in SEVERITIES}
    return found


def loss_curve(adapter: Adapter) -> list[dict[str, Any]]:
    """[{"step", "loss"}] as it was logged."""
    return [{"step": point.step, "loss": round(point.loss, 4)} for point in adapter.loss]


__all__ = ["COMPARISONS", "ROWS", "STAGES", "TruthByStudent", "audited_cases", "evaluate", "loss_curve"]
