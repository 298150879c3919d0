"""What the paper shows and what this run made of it: sections, tables in their order, and the honest account.

`SECTIONS` is the table of contents of the page. A test holds it to the paper's 46 tables: each stands in it once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from dart.report.evidence import PaperRun
from dart.report.table import NONE, NOT_RUN, Table
from dart.report.tables.annotation import NO_PAIRS, table25, table27, table28, table29
from dart.report.tables.comparison import table22, table24
from dart.report.tables.conditioning import table23, table26, table32
from dart.report.tables.decision import table2, table13, table15, table16
from dart.report.tables.examples import table1, table8, table12, table46
from dart.report.tables.external import table5, table35, table40, table41, table42, table43
from dart.report.tables.harm import table44, table45, table_control
from dart.report.tables.hatecheck import table36, table37, table38, table39
from dart.report.tables.openended import table14, table_judges, table_toxicity
from dart.report.tables.policy import table3, table17, table18, table33, table34
from dart.report.tables.rates import table_rates, table_unchanged
from dart.report.tables.robustness import table7, table_floor
from dart.report.tables.setup import table6, table9, table10, table11
from dart.report.tables.toxreg import table20
from dart.report.tables.training import table4, table19, table21
from dart.report.tables.weighting import table30, table31, table_arms

Maker = Callable[[PaperRun], Table]
TABLES_OF_THE_PAPER = 46
STATUSES = ("regenerated", "partly", "not run")


class Section(NamedTuple):
    """A part of the page: its tables in order, and the figures that stand before them."""

    key: str
    title: str
    makers: tuple[Maker, ...]
    figures: tuple[str, ...] = ()


SECTIONS: tuple[Section, ...] = (
    Section(
        "results",
        "Results (Section 3)",
        (table2, table_control, table_rates, table_unchanged),
        ("figure03", "figure04"),
    ),
    Section("students", "By benchmark and student (Appendices H, I, J, K.6)", (table13, table15, table16, table24)),
    Section("harm", "Harm of the rationales (Appendices K.4, Q)", (table44, table45, table22)),
    Section(
        "policy",
        "Inference-time explanation policy (Section 3.3.2, Appendices K.1, N)",
        (table3, table17, table18, table33, table34),
    ),
    Section(
        "ablations",
        "Ablations and controls (Section 3.3, Appendices A.3, K, L.2, M)",
        (
            table4,
            table19,
            table20,
            table21,
            table23,
            table26,
            table30,
            table31,
            table32,
            table7,
            table_arms,
            table_floor,
        ),
    ),
    Section(
        "external",
        "External safety suites (Section 3.4, Appendices O, P)",
        (table5, table35, table36, table37, table38, table39, table40, table41, table42, table43),
    ),
    Section(
        "openended",
        "Open-ended questions (Section 3.4, Appendix I.1)",
        (table14, table_judges, table_toxicity),
    ),
    Section("annotation", "Annotated pairs (Appendices L, M.1)", (table25, table27, table28, table29), ("figure05",)),
    Section("setup", "Set-up as it ran (Appendices A, C, D)", (table6, table9, table10, table11)),
    Section("examples", "Examples (Section 2.1, Appendices B, G, R)", (table1, table8, table12, table46)),
)

FIGURES: Mapping[str, str] = {"3": "figure03", "4": "figure04", "5": "figure05"}


def tables(run: PaperRun) -> dict[str, list[Table]]:
    """{section key: its tables}, made from the run.

    Raises:
        DataError: the run has not been evaluated.
    """
    return {section.key: [make(run) for make in section.makers] for section in SECTIONS}


def coverage(run: PaperRun) -> dict[str, Any]:
    """Contents of metrics/coverage.json: every table and data figure of the paper and what this run regenerated."""
    return account(run, [table for found in tables(run).values() for table in found])


def account(run: PaperRun, made: Iterable[Table]) -> dict[str, Any]:
    """The coverage of tables that are already made.

    "regenerated": every row holds this run's numbers; "partly": some rows are marked not run; "not run": this run had
    nothing to fill it with. A table that is not whole has "needs".
    """
    of_paper = {table.number: table for table in made if table.number.isdigit()}
    entries: dict[str, dict[str, str]] = {}
    for number in map(str, range(1, TABLES_OF_THE_PAPER + 1)):
        table = of_paper[number]
        entries[number] = {"status": table.status, "file": f"data/paper/{table.stem}.md"}
        entries[number] |= {"needs": table.needs} if table.needs else {}
    drawn = {number: _figure(run, stem) for number, stem in FIGURES.items()}
    return {
        "simulated": run.simulated,
        "tables": entries,
        "figures": drawn,
        "counts": {"tables": _counted(entries), "figures": _counted(drawn)},
    }


def _figure(run: PaperRun, stem: str) -> dict[str, str]:
    if stem == "figure05" and not run.roc:
        return {"status": "not run", "needs": NO_PAIRS if not run.pairs else "annotated pairs of both kinds."}
    slot = run.annotated.slot if stem == "figure05" else run.primary.slot
    return {"status": "regenerated", "file": f"data/paper/{stem}_{slot}.svg"}


def _counted(entries: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    found = Counter(entry["status"] for entry in entries.values())
    return {status: found[status] for status in STATUSES}


def coverage_table(run: PaperRun, found: Mapping[str, Any]) -> Table:
    """Table C, not in the paper: the coverage for readers, tables with the same fate together."""
    groups: dict[tuple[str, str], list[str]] = {}
    for number, entry in found["tables"].items():
        groups.setdefault((entry["status"], entry.get("needs", NONE)), []).append(number)
    order = list(found["counts"]["tables"])
    rows = [
        (f"implemented, {status}" if status == NOT_RUN else status, ", ".join(numbers), needs)
        for (status, needs), numbers in sorted(groups.items(), key=lambda group: order.index(group[0][0]))
    ]
    counts = found["counts"]["tables"]
    return Table(
        number="C",
        title=f"What this run regenerated of the paper's {TABLES_OF_THE_PAPER} tables",
        columns=("Status", "Tables", "What the rest needs"),
        rows=tuple(rows),
        note="; ".join(f"{status}: {count}" for status, count in counts.items())
        + f". Figures 3, 4 and 5: {found['counts']['figures']['regenerated']} of {len(FIGURES)} drawn. Also as "
        "metrics/coverage.json.",
        wrapped=(1, 2),
        simulated=run.simulated,
    )
