"""All numbers of one training seed: the contents of metrics/*.json and plots/*.json, with intervals over items.

Section 3 of the paper. Every table and figure is made from these files, and `dvc metrics diff` compares them. What
holds for the recipe, over all training seeds, is computed in `training_seeds`. The family over which p-values are
corrected stands in params.yaml (`hypotheses`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from dart.core.records import Generation, Item
from dart.core.schema.method import Equivalence, Hypotheses, Statistics
from dart.core.seeds import seed_for
from dart.metrics.drift_rates import NO_VERDICTS, VARIANT_OF, drift_rates
from dart.metrics.hypotheses import MARGINS, PAPER, hypotheses
from dart.metrics.plots import plot_points
from dart.metrics.run import CONTROL, Run, StudentRun
from dart.stats.agreement import share_intervals
from dart.stats.annotation import AnnotatedPair
from dart.stats.bootstrap import rate_intervals
from dart.stats.compare import compare
from dart.stats.decision import benchmarks_of, confusion, decision_metrics
from dart.stats.drift import Cases, Drift, Truth, drift_metrics, repair_metrics
from dart.stats.harm import harm_intervals, harm_metrics, harm_tests
from dart.stats.judge_consistency import judge_consistency
from dart.stats.pairing import in_item_order
from dart.stats.panel import panel_agreement

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
NOBODY: Mapping[str, Mapping[str, Sequence[AnnotatedPair]]] = MappingProxyType({})


def evaluate(
    run: Run,
    statistics: Statistics,
    seed: int,
    truth: TruthByStudent | None = None,
    declared: Hypotheses = PAPER,
    margins: Equivalence = MARGINS,
    annotated: Mapping[str, Mapping[str, Sequence[AnnotatedPair]]] = NOBODY,
    verdicts: Mapping[str, bool] = NO_VERDICTS,
) -> dict[str, Any]:
    """{relative path: JSON content} of every file of the evaluate stage.

    `truth` is known in the embedded world only: {student: {"distilled" | "repaired" | "control": {item id: severity}}}.
    `annotated`: labelled pairs by student and audit; `verdicts`: what the judge says of the first audit's, by item.

    Raises:
        DataError: records that do not pair with the test items, or answers without a toxicity (ids are named).
    """
    decision, harm, drift, rates, repair, tests, intervals = ({} for _ in range(7))
    for student in run.students:
        slot = student.slot
        decision[slot] = {name: _decision(run, student, name) for name in student.variants}
        harm[slot] = {name: harm_metrics(run.items, *_answers(student, name)) for name in student.variants}
        audits = Drift(student.audits["before"], student.audits["after"], student.audits.get(CONTROL))
        true = _truth(truth, student)
        drift[slot] = drift_metrics(run.items, audits, true, slot)
        drift[slot]["judging"] = {when: judge_consistency(records) for when, records in student.audits.items()}
        if student.panels:
            drift[slot]["panel"] = {
                when: panel_agreement([each.drift for each in verdicts_of])
                for when, verdicts_of in student.panels.items()
            }
        true_cases = None if true is None else {k: v or {} for k, v in zip(VARIANT_OF.values(), true, strict=True)}
        rates[slot] = drift_rates(run.items, student, statistics, true_cases, annotated.get(slot, {}), verdicts)
        repair[slot] = repair_metrics(run.items, audits, true, statistics, slot)
        tests[slot] = _comparisons(run, student, statistics, seed)
        intervals[slot] = {name: _intervals(run, student, name, statistics, seed) for name in student.variants}
    metrics: dict[str, Any] = {
        "decision": decision,
        "harm": harm,
        "drift": drift,
        "repair": repair,
        "drift_rate": rates,
        "tests": {"students": tests, "intervals": intervals},
        "hypotheses": hypotheses(tests, declared, margins),
    }
    return {f"metrics/{name}.json": content for name, content in metrics.items()} | plot_points(run, metrics)


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
    cases = truth[student.slot]
    control = cases.get(CONTROL) if CONTROL in student.variants else None
    return Truth(cases["distilled"], cases["repaired"], control)


def _comparisons(run: Run, student: StudentRun, statistics: Statistics, seed: int) -> dict[str, Any]:
    """{"<base>_<other>": {"decision": {row: comparison}, "harm": rank tests}}; per benchmark for the primary one."""
    comparisons: dict[str, Any] = {}
    for base, other in COMPARISONS:
        if base not in student.variants or other not in student.variants:
            continue
        pair = f"{student.slot}/{base}-{other}"
        first, second = (in_item_order(run.items, *_answers(student, name)) for name in (base, other))
        rows = dict(ROWS)
        if (base, other) == PRIMARY:
            rows |= {name: _is_benchmark(name) for name in benchmarks_of(run.items)}
        decision = {}
        for name, belongs in rows.items():
            indices = [index for index, item in enumerate(run.items) if belongs(item)]
            if indices and (name != "overall without N1, N2" or len(indices) < len(run.items)):
                items = [run.items[index] for index in indices]
                before, after = ([answers[index] for index in indices] for answers in (first, second))
                decision[name] = compare(items, before, after, statistics, seed, f"{pair}/{name}")
        comparisons[f"{base}_{other}"] = {
            "decision": decision,
            "harm": harm_tests(run.items, first, second, statistics, seed, pair),
        }
    return comparisons


def _is_benchmark(name: str) -> Callable[[Item], bool]:
    return lambda item: item.benchmark == name


def _intervals(run: Run, student: StudentRun, variant: str, statistics: Statistics, seed: int) -> dict[str, Any]:
    """Levels of one stage: Wilson's interval for a share of the items, a bootstrap for macro-F1 and toxicity."""
    answers, name = _answers(student, variant)
    table = confusion(run.items, in_item_order(run.items, answers, name))
    resampled = rate_intervals(table, statistics, seed_for(seed, "rates", name))
    rates = resampled | share_intervals(table, statistics.confidence)
    return {rate: interval.json(4) for rate, interval in rates.items()} | harm_intervals(
        run.items, answers, statistics, seed, name
    )
