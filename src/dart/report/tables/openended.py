"""Tables about the open-ended questions: 14 (judged by domain), J (whether judges agree), O (toxicity).

Section 3.4, Appendix I.1. Numbers come from metrics/openended/<slot>.json, Holm's correction from the family
`openended` of the registry. A student that was not run has a row that says so; neither questions nor answers are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dart.metrics.registry import OPENENDED, family_p, name_of
from dart.metrics.run import Run, StudentRun
from dart.report import published
from dart.report.blocks import Maker, student_entry, student_table
from dart.report.cells import (
    difference,
    harm_cells,
    points,
    rank_biserial,
    share,
    shift_x1e5,
    side_shares,
    sides_x1e5,
)
from dart.report.table import NONE, Row, Table, p_value

METRICS = "openended"  # the entry of `Run.metrics`: {slot: contents of metrics/openended/<slot>.json}
DOMAINS = ("medical", "legal", "policy", "education", "all")
PARTIES: Mapping[str, str] = {"judge": "first", "second_judge": "second"}
_TESTS = ("appropriate", "preference", "premise", "refusal")
_MEASURES: Mapping[str, str] = {
    "appropriate": "difference-appropriate",
    "premise": "harmful premise handled",
    "refusal": "refusal",
    "preference": "preference (3 values)",
}
_SIMULATED = (
    " Simulated: nano students cannot answer such questions, and the judges are rules over words with declared errors; "
    "the table shows that the path works, and nothing about quality."
)


class DomainRow(NamedTuple):
    """One row of Table 14: its first cells, a domain's metrics, Holm's p of each test, the paper's cells."""

    head: Row
    part: Mapping[str, Any]
    p_holm: Mapping[str, float | None]
    paper: Row


def how_to_run(students: Iterable[StudentRun]) -> str:
    """What `Table.needs` says about students that were not run."""
    slots = [student.slot for student in students]
    return "; ".join(f"`dvc repro external/dvc.yaml:openended@{slot}`" for slot in slots)


def table14(run: Run) -> Table:
    """Table 14: difference-appropriateness, wins, harmful premises and refusals by domain, for each judge."""
    p_holm = family_p(run.metrics, OPENENDED)
    blocks = {
        student.slot: [_row14(row) for row in _domain_rows(student, student_entry(run, METRICS, student), p_holm)]
        for student in run.students
    }
    return _table(
        run,
        "14",
        "Open-ended questions: base against repaired, by domain",
        (
            "Student", "Judge", "Domain", "n", "Difference-appropriate", "Δ [95 % CI]", "Holm", "Won / tied / lost",
            "Win rate [95 % CI]", "Holm", "Harmful premises", "Handled", "Δ [95 % CI]", "Holm", "Refusal",
            "Δ [95 % CI]", "Holm", "Paper: appropriate", "win rate", "handled", "refusal",
        ),
        blocks,
        "Base → repaired. Difference-appropriate: the answer takes the group into account exactly where that is "
        "warranted. Won, tied, lost: repaired against base, asked in both orders; a pair of which the orders disagree "
        "is a tie, and the win rate is wins over all. Handled: of the questions with a harmful premise only, their "
        "number in front (the paper seems to count all questions). Δ: Tango's interval; win rate: Wilson's. Tests: "
        "McNemar's exact one, for wins the sign test; Holm: over all tests of open-ended answers (Table F). "
        "The paper's judge is GPT-4; "
        "its numbers by domain are lost but for what the prose says: every domain gains at least 32 points and stays "
        "below 4.5 % refusals.",
    )  # fmt: skip


def _domain_rows(student: StudentRun, entry: Mapping[str, Any] | None, p_holm: Mapping[str, float]) -> list[DomainRow]:
    if entry is None:
        return []
    rows = []
    for party, judge in entry["judges"].items():
        for domain in DOMAINS:
            part = judge["domains"][domain]
            head = (student.name, PARTIES.get(party, party), domain, str(part["n"]))
            place = (OPENENDED, student.slot, "judges", party, "domains", domain)
            corrected = {test: p_holm.get(name_of(*place, test)) for test in _TESTS}
            rows.append(DomainRow(head, part, corrected, published.OPENENDED if domain == "all" else (NONE,) * 4))
    return rows


def _row14(row: DomainRow) -> Row:
    appropriate, preference, premise, refusal = (p_value(row.p_holm[test]) for test in _TESTS)
    wins = row.part["preference"]
    outcomes = f"{wins['wins']} / {wins['ties']} / {wins['losses']}" if wins["n"] else NONE
    premises = row.part["premise"]
    return (
        *row.head,
        *_shares_and_difference(row.part["appropriate"]),
        appropriate,
        outcomes,
        share(wins["rate"]),
        preference,
        str(premises["n"]),
        *_shares_and_difference(premises),
        premise,
        *_shares_and_difference(row.part["refusal"]),
        refusal,
        *row.paper,
    )


def _shares_and_difference(part: Mapping[str, Any]) -> tuple[str, str]:
    """Both shares, and their difference in points with its interval."""
    if not part["n"]:
        return NONE, NONE
    return side_shares(part), points(part["difference"])


def table_judges(run: Run) -> Table:
    """Table J, not in the paper: whether two judges agree on the open-ended answers, and with themselves."""

    def rows(student: StudentRun, entry: Mapping[str, Any]) -> list[Row]:
        block: list[Row] = [
            (
                student.name,
                _MEASURES[name],
                str(part["n"]),
                _count_and_share(part["same"], part["n"]),
                _kappa(part["kappa"]),
            )
            for name in _MEASURES
            if (part := entry["agreement"].get(name)) is not None
        ]
        for party, judge in entry["judges"].items():
            orders, label = judge["orders"], f"{PARTIES.get(party, party)} judge"
            same, first = orders["consistent"], orders["first"]
            block += [
                (
                    student.name,
                    f"{label}: same in both orders",
                    str(orders["n"]),
                    _count_and_share(same, orders["n"]),
                    NONE,
                ),
                (
                    student.name,
                    f"{label}: shown first is preferred",
                    str(first["n"]),
                    _count_and_share(first, first["n"]),
                    NONE,
                ),
            ]
        return block

    return _table(
        run,
        "J",
        "Open-ended questions: do the judges agree?",
        ("Student", "Verdict", "n", "Same [95 % CI]", "Kappa [95 % CI]"),
        {s.slot: rows(s, entry) for s in run.students if (entry := student_entry(run, METRICS, s)) is not None},
        "Two judges on the same answers; verdicts on single answers count both answers of a question, the harmful "
        "premises only where there is one. The lower rows: how often a judge's preference survives the exchange of the "
        "two answers, and how often, of all preferences that are no tie, it goes to the answer shown first (50 % is no "
        "bias). Without a second judge only these rows stand here.",
    )


def table_toxicity(run: Run) -> Table:
    """Table O, not in the paper: toxicity of the open-ended answers by domain."""
    entries = [(s, entry) for s in run.students if (entry := student_entry(run, METRICS, s)) is not None]
    p_holm = family_p(run.metrics, OPENENDED)

    def row(student: StudentRun, domain: str, part: Mapping[str, Any]) -> Row:
        p = None if part["wilcoxon"] is None else float(part["wilcoxon"]["p"])
        place = (OPENENDED, student.slot, "toxicity", domain)
        mean, corrected = (p_holm.get(name_of(*place, *test)) for test in (("harm", "mean"), ("wilcoxon",)))
        return (
            student.name, domain, str(part["n"]), *harm_cells(part, mean),
            sides_x1e5(part), shift_x1e5(part), rank_biserial(part["wilcoxon"]),
            p_value(p), p_value(corrected),
        )  # fmt: skip

    return _table(
        run,
        "O",
        "Open-ended questions: toxicity of the answers",
        (
            "Student",
            "Domain",
            "n",
            "Mean",
            "Difference [95 % CI]",
            "p (t)",
            "Holm",
            "Above 0.1",
            "Rise − fall [95 % CI]",
            "Median",
            "Shift [95 % CI]",
            "Wilcoxon: r",
            "Wilcoxon: p",
            "Wilcoxon: Holm",
        ),
        {s.slot: [row(s, domain, entry["toxicity"][domain]) for domain in DOMAINS] for s, entry in entries},
        "Base → repaired, H × 10⁵ of the text without a conclusion line. First what harm is, as in Table 5; then "
        "ranks. Shift: Hodges-Lehmann, paired; r: "
        "matched-pairs rank-biserial of Wilcoxon's test, negative where repaired is safer; Holm: over all "
        "tests of open-ended answers (Table F).",
    )


def _table(
    run: Run, number_: str, title: str, columns: tuple[str, ...], rows: Mapping[str, Sequence[Row]], note: str
) -> Table:
    """A table with a block of rows for every student; one that was not run has a row that says so."""
    blocks = {slot: group for slot, group in rows.items() if group}
    absent = [student for student in run.students if student.slot not in blocks]
    note += _SIMULATED if run.simulated else ""
    return student_table(run, number_, title, columns, blocks, note, how_to_run(absent))


def _count_and_share(part: Mapping[str, Any], n: int) -> str:
    return f"{part['count']} of {n}: {share(part)}" if n else NONE


def _kappa(part: Mapping[str, Any]) -> str:
    return NONE if part["estimate"] is None else difference(part, 2)


TABLES: tuple[Maker, ...] = (table14, table_judges, table_toxicity)
