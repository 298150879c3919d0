"""Tables about harm: 44 (toxicity by task type), 45 (drift by benchmark), A (repair beside its control).

Numbers come from metrics/*.json, the counts of Table 45 from the audits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from dart.core.records import SEVERITIES
from dart.metrics.run import CONTROL, STAGES, Run, StudentRun
from dart.report import published
from dart.report.table import NONE, Row, Table, bounds, number, p_value, percent, ruled, signed
from dart.stats.decision import benchmarks_of
from dart.stats.drift import cases


def table44(run: Run) -> Table:
    """Table 44: median toxicity (x 1e5) by task type at the three stages, with intervals."""
    body = ruled(_table44_rows(run, student) for student in run.students)
    paper = " / ".join(f"{value:.2f}" for value in published.TOXICITY_MEDIAN_X1E5.values())
    return Table(
        number="44",
        title="Median toxicity of rationales by task type (H × 10⁵)",
        columns=(
            "Student",
            "Task type",
            "n",
            "Base",
            "Distilled",
            "Repaired",
            "base → distilled",
            "distilled → repaired",
        ),
        rows=body.rows,
        rules=body.rules,
        note=f"Percentile bootstrap, 95 %. {_harm_tests(run)}"
        f"The paper's medians at the three stages (Llama-3-8B, its own classifier): {paper}.",
        simulated=run.simulated,
    )


def _table44_rows(run: Run, student: StudentRun) -> list[Row]:
    rows: list[Row] = []
    intervals = run.metric("tests", "intervals", student.slot)
    for kind in ("descriptive", "normative"):
        entries = [intervals[stage]["by_task_type"].get(kind) for stage in STAGES]
        if all(entries):
            values = [entry["toxicity_median_x1e5"] for entry in entries]
            rows.append((student.name, kind, str(entries[0]["n"]), *_medians(values)))
    overall = [intervals[stage]["toxicity_median_x1e5"] for stage in STAGES]
    rows.append((student.name, "all", str(len(run.items)), *_medians(overall)))
    return rows


def _medians(values: list[Mapping[str, Any]]) -> Row:
    estimates = [value["estimate"] for value in values]
    shown = [f"{number(value['estimate'], 2)} {bounds(value['ci'], 2, sign=False)}" for value in values]
    changes = [after / before - 1 if before else None for before, after in pairwise(estimates)]
    return (*shown, *(percent(change, sign=True) for change in changes))


def _harm_tests(run: Run) -> str:
    parts = []
    for student in run.students:
        for base, other in pairwise(STAGES):
            test = run.metric("tests", "students", student.slot, f"{base}_{other}", "harm")
            change, paired = test["median_change"], test["wilcoxon"]
            parts.append(
                f"{student.name}, {base} → {other}: median {percent(change['estimate'], sign=True)}, Wilcoxon "
                f"p = {p_value(paired['p'])}, matched-pairs rank-biserial {signed(paired['rank_biserial'], 2)}"
            )
    return "; ".join(parts) + ". "


def table45(run: Run) -> Table:
    """Table 45: audited drift cases by benchmark and severity, before and after repair."""
    body = ruled(_table45_rows(run, student) for student in run.students)
    return Table(
        number="45",
        title="Drift cases by benchmark and severity before repair, and what is left after it",
        columns=("Student", "Benchmark", "Mild", "Moderate", "Severe", "Extreme", "Before", "After", "Paper (before)"),
        rows=body.rows,
        rules=body.rules,
        note="As audited: screened and confirmed by the judge. Percentages are shares of the benchmark's test items. "
        "The paper's column is its Llama-3-8B.",
        simulated=run.simulated,
    )


def _table45_rows(run: Run, student: StudentRun) -> list[Row]:
    rows: list[Row] = []
    names = benchmarks_of(run.items)
    sizes = Counter(item.benchmark for item in run.items)
    benchmark_of = {item.id: item.benchmark for item in run.items}
    before, after = (cases(student.audits[when]) for when in ("before", "after"))
    by = Counter((benchmark_of[key], severity) for key, severity in before.items())
    left = Counter(benchmark_of[key] for key in after)
    for label, benchmarks in [*((run.benchmark_name(name), [name]) for name in names), ("Total", names)]:
        counts = [sum(by[name, severity] for name in benchmarks) for severity in SEVERITIES]
        n = sum(sizes[name] for name in benchmarks)
        remaining = sum(left[name] for name in benchmarks)
        rows.append(
            (
                student.name,
                label,
                *(str(count) for count in counts),
                f"{sum(counts)} ({percent(sum(counts) / n)})",
                f"{remaining} ({percent(remaining / n)})",
                _published_total(benchmarks),
            )
        )
    return rows


def _published_total(benchmarks: list[str]) -> str:
    known = [name for name in benchmarks if name in published.TABLE_45]
    if len(known) != len(benchmarks):
        return NONE
    total = sum(sum(published.TABLE_45[name]) for name in known)
    return f"{total} ({percent(total / sum(published.TEST_SIZES[name] for name in known))})"


def table_control(run: Run) -> Table:
    """Table A, not in the paper: gross, new and net drift of repair and of the control, audited and true."""
    body = ruled(
        _control_rows(student, counted, arms)
        for student in run.students
        for counted, arms in run.metric("repair", student.slot).items()
    )
    return Table(
        number="A",
        title="What repair must beat: drift cases after repair and after as many steps without repair rows",
        columns=("Student", "Counted", "Arm", "Before → after", "Gross", "New", "Net", "Net reduction"),
        rows=body.rows,
        rules=body.rules,
        note="Gross: cases that disappeared; new: cases that were none before; net = gross − new; brackets: 95 % "
        "percentile bootstrap over items. 'audited' is what the judge confirmed, 'true' what the embedded world knows. "
        "The paper reports the net change only (435 → 119) and no control.",
        simulated=run.simulated,
    )


def _control_rows(student: StudentRun, counted: str, arms: Mapping[str, Any]) -> list[Row]:
    rows: list[Row] = []
    flows = ("gross", "new", "net")
    for arm in ("repair", CONTROL):
        if arm in arms:
            entry = arms[arm]
            shown = [f"{entry[name]} {_count_bounds(entry[f'{name}_ci'])}" for name in flows]
            share = f"{percent(entry['reduction'])} {_share_bounds(entry['reduction_ci'])}"
            rows.append((student.name, counted, arm, f"{entry['before']} → {entry['after']}", *shown, share))
    if "difference" in arms:
        entry = arms["difference"]
        shown = [f"{entry[k]['estimate']:.0f} {_count_bounds(entry[k]['ci'])}".replace("-", "−") for k in flows]
        share = f"{percent(entry['reduction']['estimate'])} {_share_bounds(entry['reduction']['ci'])}"
        rows.append((student.name, counted, "repair − control", NONE, *shown, share))
    return rows


def _count_bounds(interval: list[float] | None) -> str:
    text = NONE if interval is None else f"[{interval[0]:.0f}, {interval[1]:.0f}]"
    return text.replace("-", "−")


def _share_bounds(interval: list[float] | None) -> str:
    return NONE if interval is None else f"[{percent(interval[0])}, {percent(interval[1])}]"
