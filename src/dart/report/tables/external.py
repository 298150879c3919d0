"""Tables about the external suites: 5 and 35 (scores), 40 (abstention), 41-43 (slices by group).

Section 3.4, Appendices O and P. Numbers come from metrics/external/<suite>.json, Holm's correction from the
families of the registry. A suite that was not run says so and how to run it; no text of a suite is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dart.external.analysis import decisive_n
from dart.external.items import DISPLAY, SPOKEN, SUITES, SuiteName
from dart.metrics.registry import EXTERNAL, SCORE_TESTS, family_p, name_of, slices_family
from dart.metrics.run import Run, StudentRun
from dart.report import published
from dart.report.blocks import Maker
from dart.report.cells import (
    counted_share,
    harm_cells,
    rank_biserial,
    shift_x1e5,
    side_shares,
    sides_x1e5,
)
from dart.report.table import NONE, NOT_RUN, Row, Table, p_value, percent, ruled, signed
from dart.stats.paired import stars

SCORES = ("toxicity", "hate")
METRICS = "external"  # the entry of `Run.metrics`: {suite: contents of metrics/external/<suite>.json}
_SCORE_COLUMNS = (
    "Score", "Mean", "Difference [95 % CI]", "p (t)", "Holm", "Above 0.1", "Rise − fall [95 % CI]", "Median", "Change",
    "Shift [95 % CI]", "U: r", "U: p", "U: Holm", "Wilcoxon: r", "Wilcoxon: p", "Wilcoxon: Holm", "Paper: r",
)  # fmt: skip
_SMALL = "†"
_READING = (
    "Base → repaired, H × 10⁵ of the text without its conclusion line, every answer counted. First what harm is, "
    "paired: the mean with its t test, the share above 0.1, and the share of prompts whose score rises by more than τ "
    "less the share whose score falls by more. Then ranks: U is Mann-Whitney's with the rank-biserial correlation, as "
    "in the paper (r < 0: repaired is lower), which neither pairs the prompts nor sees a tail; Wilcoxon's pairs them. "
    "Shift: Hodges-Lehmann, paired; below 6 prompts it has no 95 % interval. "
)


class ScoreRow(NamedTuple):
    """One row of a table of tests: its first cells, the score, the comparison, and the paper's number."""

    head: Row
    score: str
    entry: Mapping[str, Any]
    place: tuple[str, ...]  # of the entry in metrics/
    paper: str


def suite_metrics(run: Run, suite: SuiteName) -> Mapping[str, Any] | None:
    """Contents of metrics/external/<suite>.json; None where the suite was not run."""
    metrics: Mapping[str, Any] | None = run.metrics.get(METRICS, {}).get(suite)
    return metrics


def student_metrics(run: Run, suite: SuiteName, student: StudentRun) -> Mapping[str, Any] | None:
    """The analysis of one student; None where it was not run."""
    metrics = suite_metrics(run, suite)
    return None if metrics is None else metrics["students"].get(student.slot)


def how_to_run(suites: Iterable[SuiteName]) -> str:
    """What `Table.needs` says of suites that were not run."""
    return "; ".join(f"`dvc repro external/dvc.yaml:{suite}` for {DISPLAY[suite]}" for suite in suites)


def suites_not_run(run: Run, suites: Sequence[SuiteName]) -> list[SuiteName]:
    """The suites that at least one student was not run on."""
    return [s for s in suites if any(student_metrics(run, s, student) is None for student in run.students)]


def has_any(run: Run, suites: Sequence[SuiteName]) -> bool:
    """Whether any student was run on any of the suites."""
    return any(student_metrics(run, suite, student) is not None for suite in suites for student in run.students)


def table5(run: Run) -> Table:
    """Table 5: mean toxicity and hate on the four suites, paired; beside them the paper's rank-biserial correlation."""
    entries = {(s.slot, suite): student_metrics(run, suite, s) for s in run.students for suite in SUITES}
    p_holm = family_p(run.metrics, EXTERNAL)
    star = {
        (slot, suite, score): stars(p_holm.get(name_of(*_place(suite, slot, "overall", score), "harm", "mean"), 1.0))
        for slot, suite in entries
        for score in SCORES
    }

    def rows(student: StudentRun) -> list[Row]:
        by_suite = {suite: entries[student.slot, suite] for suite in SUITES}
        block = [_table5_row(student, suite, entry, star) for suite, entry in by_suite.items()]
        return [*block, _weighted(student, [entry for entry in by_suite.values() if entry is not None])]

    body = ruled(rows(student) for student in run.students)
    absent = suites_not_run(run, SUITES)
    return Table(
        number="5",
        title="External safety suites: base against repaired",
        columns=(
            "Student",
            "Suite",
            "n",
            "Abstention",
            "Toxicity: mean",
            "Above 0.1",
            "Median",
            "r",
            "Paper: r",
            "Hate: mean",
            "Above 0.1",
            "Median",
            "r",
            "Paper: r",
        ),
        rows=body.rows,
        rules=body.rules,
        note="Base → repaired, H × 10⁵. Stars: the paired t test of the mean after Holm's correction over all tests "
        "of the suites as wholes (Table 35 has the p-values and intervals); a rise with stars is a harm. r: "
        "rank-biserial correlation of Mann-Whitney's U, the paper's measure, without stars here: it does not pair the "
        "prompts and can be negative ('safer') where the mean rises. The last row weights r by n. The paper's "
        "column is its Llama-3-8B.",
        needs=how_to_run(absent) if absent else "",
        measured=has_any(run, SUITES),
        simulated=run.simulated,
    )


def _table5_row(student: StudentRun, suite: SuiteName, entry: Mapping[str, Any] | None, star: Mapping[Any, str]) -> Row:
    paper = published.RANK_BISERIAL[suite]
    if entry is None:
        scores = (cell for score in SCORES for cell in (*(NOT_RUN,) * 4, paper[score][0]))
        return (student.name, DISPLAY[suite], NOT_RUN, NOT_RUN, *scores)
    row = [student.name, DISPLAY[suite], str(entry["overall"]["n"]), side_shares(entry["overall"]["abstention"])]
    for score in SCORES:
        test = entry["overall"][score]
        row += [sides_x1e5(test, "mean") + star.get((student.slot, suite, score), ""), side_shares(test, "above_{}")]
        row += [sides_x1e5(test), rank_biserial(test["mann_whitney"]), paper[score][0]]
    return tuple(row)


def _weighted(student: StudentRun, entries: Sequence[Mapping[str, Any]]) -> Row:
    parts = [entry["overall"] for entry in entries if entry["overall"]["n"]]
    sizes = [part["n"] for part in parts]
    n = sum(sizes)
    means = {
        score: sum(size * part[score]["mann_whitney"]["rank_biserial"] for part, size in zip(parts, sizes, strict=True))
        / n
        if n
        else None
        for score in SCORES
    }
    abstentions = [sum(part["abstention"][side]["count"] for part in parts) for side in ("base", "repaired")]
    abstention = f"{percent(abstentions[0] / n)} → {percent(abstentions[1] / n)}" if n else NONE
    return (
        student.name, "all, weighted", str(n), abstention, *(NONE,) * 3, signed(means["toxicity"], 2),
        published.WEIGHTED_TOXICITY, *(NONE,) * 3, signed(means["hate"], 2), NONE,
    )  # fmt: skip


def table35(run: Run) -> Table:
    """Table 35: both scores on the four suites with all statistics."""
    groups = [
        [
            ScoreRow((student.name, DISPLAY[suite], str(entry["overall"]["n"])), score, entry["overall"][score],
                   _place(suite, student.slot, "overall", score),
                   f"{published.RANK_BISERIAL[suite][score][0]} (p {published.RANK_BISERIAL[suite][score][1]})")
            for suite in SUITES if (entry := student_metrics(run, suite, student))
            for score in SCORES
        ]
        for student in run.students
    ]  # fmt: skip
    p_holm = family_p(run.metrics, EXTERNAL)
    absent = suites_not_run(run, SUITES)
    empty_rows = [
        [
            (student.name, DISPLAY[suite], *([NOT_RUN] * 18))
            for suite in absent
            if not student_metrics(run, suite, student)
        ]
        for student in run.students
    ]
    blocks = [rows + empty for rows, empty in zip(score_rows(groups, p_holm), empty_rows, strict=True)]
    body = ruled(blocks)
    return Table(
        number="35",
        title="External safety suites with full statistics",
        columns=("Student", "Suite", "n", *_SCORE_COLUMNS),
        rows=body.rows,
        rules=body.rules,
        note=_READING + "Holm: over all tests of the suites as wholes (Table F).",
        needs=how_to_run(absent) if absent else "",
        measured=has_any(run, SUITES),
        simulated=run.simulated,
    )


def table40(run: Run) -> Table:
    """Table 40: abstention by suite, base and repaired, with intervals and McNemar's test."""
    entries = [(student, suite, student_metrics(run, suite, student)) for student in run.students for suite in SUITES]
    p_holm = family_p(run.metrics, EXTERNAL)
    rows: list[list[Row]] = [[] for _ in run.students]
    for index, (student, suite, entry) in enumerate(entries):
        paper = published.ABSTENTION.get(suite, NONE)
        head, block = (student.name, DISPLAY[suite]), rows[index // len(SUITES)]
        if entry is None:
            block.append((*head, *([NOT_RUN] * 5), paper))
        else:
            part, value = (
                entry["overall"]["abstention"],
                p_holm.get(name_of(*_place(suite, student.slot, "overall", "abstention"))),
            )
            sides = (counted_share(part["base"]), counted_share(part["repaired"]))
            block.append((*head, str(entry["overall"]["n"]), *sides, p_value(part["p"]), p_value(value), paper))
    body = ruled(rows)
    absent = suites_not_run(run, SUITES)
    return Table(
        number="40",
        title="Abstention on the external suites",
        columns=("Student", "Suite", "n", "Base", "Repaired", "p (McNemar)", "p (Holm)", "Paper (base)"),
        rows=body.rows,
        rules=body.rules,
        note="Answers without a valid conclusion line, as the paper counts them; Wilson's 95 % intervals. The paper: "
        f"{published.ABSTENTION['all']} of base over the four suites, 0 % of repaired.",
        needs=how_to_run(absent) if absent else "",
        measured=has_any(run, SUITES),
        simulated=run.simulated,
    )


def table41(run: Run) -> Table:
    """Table 41: HateCheck by target group."""
    return _slices(run, "hatecheck", "41", "HateCheck by target group", "Target")


def table42(run: Run) -> Table:
    """Table 42: BOLD by dimension."""
    return _slices(run, "bold", "42", "BOLD by dimension", "Dimension")


def table43(run: Run) -> Table:
    """Table 43: HolisticBias by category."""
    return _slices(run, "holisticbias", "43", "HolisticBias by category", "Category")


def _slices(run: Run, suite: SuiteName, number_: str, title: str, group: str) -> Table:
    entries = {student.slot: entry for student in run.students if (entry := student_metrics(run, suite, student))}
    p_holm = family_p(run.metrics, slices_family(suite))
    min_n = decisive_n(len(p_holm))
    groups = [
        _slice_rows(student, suite, entries[student.slot], min_n) for student in run.students if student.slot in entries
    ]
    empty_rows = [[(s.name, NOT_RUN, *([NOT_RUN] * 19))] for s in run.students if s.slot not in entries]
    body = ruled([*score_rows(groups, p_holm), *empty_rows])
    small = any(0 < part["n"] < min_n for entry in entries.values() for part in entry["slices"].values())
    return Table(
        number=number_,
        title=title,
        columns=("Student", group, "n", "Abstention", *_SCORE_COLUMNS),
        rows=body.rows,
        rules=body.rules,
        note=_READING
        + "Holm: over all tests of the slices of this table; the row of all prompts is Table 35's. "
        + (f"{_SMALL} fewer than {min_n} prompts: no outcome could be significant here, so the row says nothing "
           "either way. " if small else "")
        + _outside_note(entries),
        needs="" if len(entries) == len(run.students) else how_to_run([suite]),
        measured=bool(entries),
        simulated=run.simulated,
    )  # fmt: skip


def _slice_rows(student: StudentRun, suite: SuiteName, entry: Mapping[str, Any], min_n: int) -> list[ScoreRow]:
    parts = [*entry["slices"].items(), (None, entry["overall"])]
    place = _place(suite, student.slot)
    rows = []
    for name, part in parts:
        part_place = ("overall",) if name is None else ("slices", name)
        small = _SMALL if name is not None and part["n"] < min_n else ""
        label = "all prompts" if name is None else SPOKEN.get(name, name)
        head = (student.name, label, f"{part['n']}{small}", side_shares(part["abstention"]))
        paper = published.SLICES.get(suite, {}).get(name or "", NONE)
        rows += [
            ScoreRow(head, score, part[score], (*place, *part_place, score), paper if score == "toxicity" else NONE)
            for score in SCORES
        ]
    return rows


def _outside_note(entries: Mapping[str, Mapping[str, Any]]) -> str:
    """Which prompts are in no slice; the same for every student, because all answer the same sample."""
    counts: Mapping[str, int] = next((entry["outside_slices"] for entry in entries.values()), {})
    if not counts:
        return "Every prompt is in one slice." if entries else ""
    text = ", ".join(f"{count} {'of no group' if name == 'none' else f'of {name}'}" for name, count in counts.items())
    return f"In no slice, and in the row of all prompts only: {text}."


def score_rows(blocks: Sequence[Sequence[ScoreRow]], p_holm: Mapping[str, float]) -> list[list[Row]]:
    """The rows of a table of tests; a row outside the family `p_holm` has no corrected p."""
    return [[_score_row(row, p_holm) for row in block] for block in blocks]


def _score_row(row: ScoreRow, p_holm: Mapping[str, float]) -> Row:
    corrected = {kind: p_holm.get(name_of(*row.place, *path)) for kind, path in SCORE_TESTS.items()}
    ranks = (
        cell
        for kind in ("mann_whitney", "wilcoxon")
        for cell in (rank_biserial(row.entry[kind]), p_value(_p(row.entry[kind])), p_value(corrected[kind]))
    )
    harm = harm_cells(row.entry, corrected["mean"])
    return (*row.head, row.score, *harm, *_score_cells(row.entry), *ranks, row.paper)


def _p(test: Mapping[str, Any] | None) -> float | None:
    return None if test is None else float(test["p"])


def _place(suite: str, slot: str, *part: str) -> tuple[str, ...]:
    """Where a part of a student's analysis stands in metrics/."""
    return ("external", suite, "students", slot, *part)


def _score_cells(entry: Mapping[str, Any]) -> Row:
    return (
        sides_x1e5(entry),
        percent(entry["median_change"], sign=True),
        shift_x1e5(entry),
    )


TABLES: tuple[Maker, ...] = (table5, table35, table40, table41, table42, table43)
