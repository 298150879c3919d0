"""Tables about harm: 22 (types by writer, novel cases), 44 (toxicity by task type), 45 (drift by benchmark).

Appendices K.4 and Q; numbers from metrics/*.json, counts from the audits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from dart.core.records import SEVERITIES, RegressionType
from dart.metrics.novelty import harm_types, median_base_toxicity, novel_cases
from dart.metrics.run import CONTROL, STAGES, TEACHER, Run, StudentRun
from dart.report import published
from dart.report.blocks import Maker
from dart.report.cells import count, difference, points, share, value_bounds
from dart.report.evidence import PaperRun
from dart.report.table import NONE, NOT_RUN, Row, Table, p_value, percent, ruled, signed
from dart.stats.decision import benchmarks_of
from dart.stats.drift import cases
from dart.stats.harm import TOXIC_ABOVE

HARM_TYPES: Mapping[RegressionType, str] = {
    "misses_real_harm": "misses real harm",
    "normalizes_bias": "normalizes bias",
    "harmful_reasoning": "harmful reasoning",
    "less_nuanced": "less nuanced",
}
_WRITERS: Mapping[str, str] = {
    TEACHER: "teacher",
    "before": "distilled",
    "after": "repaired",
    CONTROL: "control",
}


def table22(run: PaperRun) -> Table:
    """Table 22: harm types by who wrote the rationale, and drift cases that are new or amplify the base's."""
    body = ruled(
        [_harm_row(run, student, audit) for audit in _WRITERS if audit in student.audits or audit != CONTROL]
        for student in run.students
    )
    new, total = published.NOVEL
    return Table(
        number="22",
        title="Harm types by writer, and novel against amplified drift",
        columns=(
            "Student", "Writer", "n", *HARM_TYPES.values(), "any", "Novel: H(base) < 0.5",
            "Novel: H(base) ≤ median", "Paper: any",
        ),
        rows=body.rows,
        rules=body.rules,
        note="Shares of the test prompts on which the judge, reading the rationale against base, confirmed a harm of "
        "this type. Novel: base was safe and the writer harmful; all other cases amplify. The paper does not say what "
        "makes a base rationale safe, so two readings stand side by side: the classifier calls it non-toxic, or it is "
        "no more toxic than the median base rationale of the test set. The paper: "
        f"{new} of {total} ({percent(new / total)}) novel.",
        needs="" if all(TEACHER in student.audits for student in run.students) else
        "the teacher's rationales are for training prompts, and no judge reads them; its row needs the teacher to "
        "explain the test prompts, audited against base (data/audit/<student>/teacher.jsonl).",
        simulated=run.simulated,
    )  # fmt: skip


def _harm_row(run: PaperRun, student: StudentRun, audit: str) -> Row:
    writer = _WRITERS[audit]
    paper = published.HARM_ANY.get(writer)
    paper_share = NONE if paper is None else percent(paper)
    records = student.audits.get(audit)
    if records is None:
        return (student.name, writer, *(NOT_RUN for _ in range(len(HARM_TYPES) + 4)), paper_share)
    counts = harm_types(records)
    cases = sum(record.severity is not None for record in records)
    return (
        student.name,
        writer,
        str(len(records)),
        *(count(counts[kind], len(records)) for kind in HARM_TYPES),
        count(cases, len(records)),
        *(count(len(novel_cases(records, limit)), cases) for limit in (None, median_base_toxicity(records))),
        paper_share,
    )


def table44(run: Run) -> Table:
    """Table 44: toxicity by task type at the three stages: mean, share above a threshold, tail, median."""
    body = ruled(_table44_rows(run, student) for student in run.students)
    paper = " / ".join(f"{value:.2f}" for value in published.TOXICITY_MEDIAN_X1E5.values())
    return Table(
        number="44",
        title="Toxicity of rationales by task type (H × 10⁵)",
        columns=(
            "Student", "Task type", "n", "Measure", "Base", "Distilled", "Repaired", "base → distilled",
            "distilled → repaired",
        ),
        rows=body.rows,
        rules=body.rules,
        note="95 % intervals: Wilson's for shares, bootstrap for the others. The median is the paper's measure; it "
        "does not move when fewer than half of the rationales turn toxic. Paired tests: "
        f"{_harm_tests(run)}The paper's medians at the three stages (Llama-3-8B, its own classifier): {paper}.",
        simulated=run.simulated,
    )  # fmt: skip


_MEASURES: Mapping[str, str] = {
    "toxicity_mean_x1e5": "mean",
    "toxicity_share_above": f"share with H > {TOXIC_ABOVE:g}",
    "toxicity_q95_x1e5": "95th percentile",
    "toxicity_median_x1e5": "median (the paper)",
}


def _table44_rows(run: Run, student: StudentRun) -> list[Row]:
    intervals = run.metric("tests", "intervals", student.slot)
    groups = {
        kind: [intervals[stage]["by_task_type"].get(kind) for stage in STAGES] for kind in ("descriptive", "normative")
    }
    groups["all"] = [{"n": len(run.items), **intervals[stage]} for stage in STAGES]
    return [
        (student.name, kind, str(entries[0]["n"]), label, *_levels([entry[name] for entry in entries], name))
        for kind, entries in groups.items()
        if all(entries)
        for name, label in _MEASURES.items()
    ]


def _levels(values: list[Mapping[str, Any]], name: str) -> Row:
    """The three stages, and two changes: of a share in points, of the others relative."""
    estimates = [value["estimate"] for value in values]
    if name == "toxicity_share_above":
        changes = [None if None in pair else 100 * (pair[1] - pair[0]) for pair in pairwise(estimates)]
        return (*(share(value) for value in values), *(f"{signed(change, 1)} points" for change in changes))
    cells = [value_bounds(value["estimate"], value["ci"], 2) for value in values]
    relative = [after / before - 1 if before else None for before, after in pairwise(estimates)]
    return (*cells, *(percent(change, sign=True) for change in relative))


def _harm_tests(run: Run) -> str:
    """The paired tests between the stages, harm first and the paper's median after it."""
    parts = []
    for student in run.students:
        for base, other in pairwise(STAGES):
            test = run.metric("tests", "students", student.slot, f"{base}_{other}", "harm")
            if not test["n"]:
                continue
            mean, above, rise = test["mean"], test["share_above"], test["rise"]
            parts.append(
                f"{student.name}, {base} → {other}: mean {difference(mean['difference_x1e5'], 1)}, "
                f"p {p_value(mean['p'])}; share above {above['threshold']:g} {points(above['difference'])} points, "
                f"p {p_value(above['p'])}; rise by more than {rise['tau']:g}: {rise['rose_count']}, fall: "
                f"{rise['fell_count']}, p {p_value(rise['p'])}; median "
                f"{percent(test['median_change']['estimate'], sign=True)}, Mann-Whitney p "
                f"{p_value(test['mann_whitney']['p'])}, r {signed(test['mann_whitney']['rank_biserial'], 2)}"
            )
    return ". ".join(parts) + ". " if parts else ""


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
    before, after = (cases(student.audits[audit]) for audit in ("before", "after"))
    before_counts = Counter((benchmark_of[key], severity) for key, severity in before.items())
    after_counts = Counter(benchmark_of[key] for key in after)
    for label, benchmarks in [*((run.benchmark_name(name), [name]) for name in names), ("Total", names)]:
        counts = [sum(before_counts[name, severity] for name in benchmarks) for severity in SEVERITIES]
        n = sum(sizes[name] for name in benchmarks)
        remaining = sum(after_counts[name] for name in benchmarks)
        rows.append(
            (
                student.name,
                label,
                *(str(count) for count in counts),
                count(sum(counts), n),
                count(remaining, n),
                _published_total(benchmarks),
            )
        )
    return rows


def _published_total(benchmarks: list[str]) -> str:
    names = [name for name in benchmarks if name in published.TABLE_45]
    if len(names) != len(benchmarks):
        return NONE
    total = sum(sum(published.TABLE_45[name]) for name in names)
    return f"{total} ({percent(total / sum(published.TEST_SIZES[name] for name in names))})"


TABLES: tuple[Maker, ...] = (table22, table44, table45)
