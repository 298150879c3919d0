"""What the paper shows and what this run made of it: sections, tables in their order, and the coverage.

`SECTIONS` is the table of contents of the page. Each module of `tables` is a section or a part of one, and the tables
that it lists stand in the section by the paper's number, tables of ours after them. A test holds it to the paper's 46
tables: each stands in it once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any, NamedTuple

from dart.report import paper_arithmetic
from dart.report.blocks import Maker
from dart.report.evidence import PaperRun
from dart.report.table import NONE, NOT_RUN, Table
from dart.report.tables import (
    ablations_conditioning,
    ablations_robustness,
    ablations_training,
    ablations_weights,
    annotation,
    examples,
    external,
    harm,
    hatecheck,
    openended,
    panel,
    policy,
    questions,
    recipes,
    refusals,
    results,
    seeds,
    setup,
    students,
)
from dart.report.tables.annotation import needs_pairs

TABLES_OF_THE_PAPER = 46
STATUSES = ("regenerated", "partly", "not run")


class Section(NamedTuple):
    """A part of the page: its tables in order, and the figures that stand before them."""

    key: str
    title: str
    makers: tuple[Maker, ...]
    figures: tuple[str, ...] = ()


def _section(key: str, title: str, *modules: ModuleType, figures: tuple[str, ...] = ()) -> Section:
    makers: list[Maker] = [maker for module in modules for maker in module.TABLES]
    return Section(key, title, tuple(sorted(makers, key=_number)), figures)


def _number(maker: Maker) -> int:
    """The paper's number in the function's name, e.g. 24 of `table24`; tables of ours follow."""
    number = maker.__name__.removeprefix("table")
    return int(number) if number.isdigit() else TABLES_OF_THE_PAPER + 1


SECTIONS: tuple[Section, ...] = (
    _section("questions", "What this run shows", questions),
    _section("results", "Results (Section 3)", results, seeds, recipes, figures=("figure03", "figure04")),
    _section("students", "By benchmark and student (Appendices H, I, J, K.6)", students),
    _section("harm", "Harm of the rationales (Appendices K.4, Q)", harm),
    _section("policy", "Inference-time explanation policy (Section 3.3.2, Appendices K.1, N)", policy),
    _section(
        "ablations",
        "Ablations and controls (Section 3.3, Appendices A.3, K, L.2, M)",
        ablations_training,
        ablations_conditioning,
        ablations_weights,
        ablations_robustness,
    ),
    _section("external", "External safety suites (Section 3.4, Appendices O, P)", external, hatecheck),
    _section("openended", "Open-ended questions (Section 3.4, Appendix I.1)", openended),
    _section("annotation", "Annotated pairs (Appendices L, M.1)", annotation, panel, figures=("figure05",)),
    _section("setup", "Set-up as it ran (Appendices A, C, D)", setup, refusals),
    _section("paper", "What in the paper does not add up", paper_arithmetic),
    _section("examples", "Examples (Section 2.1, Appendices B, G, R)", examples),
)

FIGURES: Mapping[str, str] = {"3": "figure03", "4": "figure04", "5": "figure05"}


def tables(run: PaperRun) -> dict[str, list[Table]]:
    """{section key: its tables}, made from the run.

    Raises:
        DataError: the run has not been evaluated.
    """
    return {section.key: [make(run).without_empty() for make in section.makers] for section in SECTIONS}


def coverage(run: PaperRun) -> dict[str, Any]:
    """Contents of metrics/coverage.json: every table and data figure of the paper and what this run regenerated."""
    return account(run, [table for section_tables in tables(run).values() for table in section_tables])


def account(run: PaperRun, all_tables: Iterable[Table]) -> dict[str, Any]:
    """The coverage of tables that are already made.

    "regenerated": every row and every column that the paper has hold this run's numbers; "partly": some do not; "not
    run": no row holds a number of this run. An incomplete table has "needs".
    """
    by_number = {table.number: table for table in all_tables if table.number.isdigit()}
    entries: dict[str, dict[str, str]] = {}
    for number in map(str, range(1, TABLES_OF_THE_PAPER + 1)):
        table = by_number[number]
        entries[number] = {"status": table.status, "file": f"data/paper/{table.stem}.md"}
        entries[number] |= {"needs": table.lacks} if table.lacks else {}
    figures = {number: _figure(run, stem) for number, stem in FIGURES.items()}
    return {
        "simulated": run.simulated,
        "tables": entries,
        "figures": figures,
        "counts": {"tables": _counts(entries), "figures": _counts(figures)},
    }


def _figure(run: PaperRun, stem: str) -> dict[str, str]:
    if stem == "figure05" and not run.roc:
        return {"status": "not run", "needs": needs_pairs(run) or "annotated pairs of both kinds."}
    slot = run.annotated_student.slot if stem == "figure05" else run.primary_student.slot
    return {"status": "regenerated", "file": f"data/paper/{stem}_{slot}.svg"}


def _counts(entries: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    counts = Counter(entry["status"] for entry in entries.values())
    return {status: counts[status] for status in STATUSES}


def coverage_table(run: PaperRun, account: Mapping[str, Any]) -> Table:
    """Table C, not in the paper: the coverage for readers, tables grouped by status."""
    groups: dict[tuple[str, str], list[str]] = {}
    for number, entry in account["tables"].items():
        groups.setdefault((entry["status"], entry.get("needs", NONE)), []).append(number)
    order = list(account["counts"]["tables"])
    rows = [
        (f"implemented, {status}" if status == NOT_RUN else status, ", ".join(numbers), needs)
        for (status, needs), numbers in sorted(groups.items(), key=lambda group: order.index(group[0][0]))
    ]
    counts = account["counts"]["tables"]
    return Table(
        number="C",
        title=f"What this run regenerated of the paper's {TABLES_OF_THE_PAPER} tables",
        columns=("Status", "Tables", "What the rest needs"),
        rows=tuple(rows),
        note="; ".join(f"{status}: {count}" for status, count in counts.items())
        + f". Figures 3, 4 and 5: {account['counts']['figures']['regenerated']} of {len(FIGURES)} drawn. Also as "
        "metrics/coverage.json.",
        wrapped=(1, 2),
        simulated=run.simulated,
    )
