"""What in the paper does not add up, recomputed from its printed numbers: docs/paper-arithmetic.md and Table L.

A reader who compares a run with the paper needs to know which of its numbers no run can match. Each entry of
paper_arithmetic.yaml names both places, has the printed numbers, and expressions over them that a test evaluates.
"""

from __future__ import annotations

import re
from importlib import resources
from types import SimpleNamespace
from typing import Any

import yaml
from pydantic import Field, TypeAdapter

from dart.core.records import Record
from dart.metrics.run import Run
from dart.report.blocks import Maker
from dart.report.table import Table
from dart.stats.agreement import kappa_of_table


class Entry(Record):
    """One point: numbers `n` as printed, `checks` (expressions over them), and what these come to (`expect`)."""

    about: str
    places: tuple[str, ...]
    text: str
    follows: str
    n: dict[str, float] = Field(default_factory=dict)
    checks: dict[str, str] = Field(default_factory=dict)
    expect: dict[str, float] = Field(default_factory=dict)


ENTRIES: tuple[Entry, ...] = TypeAdapter(tuple[Entry, ...]).validate_python(
    yaml.safe_load(resources.files("dart.report").joinpath("paper_arithmetic.yaml").read_text(encoding="utf-8"))
)
_HEAD = """# What in the paper does not add up

Recomputed from the paper's printed numbers (arXiv 2604.16845v1) by `src/dart/report/paper_arithmetic.py`; a test
evaluates every sum. Most points are slips that change no conclusion. They matter to whoever compares a run with the
paper: such a number cannot be matched, and a difference from it is no failure of a reproduction. Where a simple
explanation would reconcile two numbers, it is named. Bodies of some tables are missing in the copy that this was read
from; a point that such a body could settle says so. Double quotes hold the paper's wording.

Renew this page with `python -m dart.report.paper_arithmetic > docs/paper-arithmetic.md`.
"""


def values(entry: Entry) -> dict[str, float]:
    """What the expressions of an entry come to."""
    names: dict[str, Any] = {"n": SimpleNamespace(**entry.n)}
    names |= {"kappa": _kappa, "tables_with": _tables_with, "counts": _counts}
    return {name: float(eval(text, {"__builtins__": {}}, names)) for name, text in entry.checks.items()}


def _kappa(tp: float, fp: float, fn: float, tn: float) -> float:
    estimate = kappa_of_table([[tp, fp], [fn, tn]]).estimate
    return float("nan") if estimate is None else estimate


def _tables_with(precision: float, recall: float, kappa: float, pairs: float) -> int:
    """How many tables of so many pairs have all three, rounded to three digits."""
    n, count = int(pairs), 0
    for tp in range(1, n + 1):
        for flagged in range(tp, n + 1):
            if round(tp / flagged, 3) != precision:
                continue
            for cases in range(tp, n - flagged + tp + 1):
                if round(tp / cases, 3) == recall:
                    chance = (flagged * cases + (n - flagged) * (n - cases)) / n**2
                    agreed = (n - flagged - cases + 2 * tp) / n
                    count += chance < 1 and round((agreed - chance) / (1 - chance), 3) == kappa
    return count


def _counts(share: float, total: float) -> int:
    """How many counts out of `total` are that share, rounded to three digits."""
    return sum(abs(count / total - share) <= 0.0005 + 1e-12 for count in range(int(total) + 1))


def page() -> str:
    """The page as Markdown."""
    parts = [_HEAD]
    for number, entry in enumerate(ENTRIES, start=1):
        where = "".join(f"- {place}\n" for place in entry.places)
        sums = ", ".join(f"`{_filled(entry, name)}` = {value:.4g}" for name, value in values(entry).items())
        computed = f"Computed: {sums}.\n\n" if sums else ""
        title = f"{entry.about[0].upper()}{entry.about[1:]}"
        parts.append(f"## {number}. {title}\n\n{where}\n{entry.text}\n\n{computed}What follows: {entry.follows}\n")
    return "\n".join(parts)


def _filled(entry: Entry, name: str) -> str:
    """The expression with its numbers."""
    return re.sub(r"\bn\.(\w+)", lambda match: f"{entry.n[match[1]]:g}", entry.checks[name])


def table_paper(run: Run) -> Table:
    """Table L, not in the paper: its numbers that do not add up."""
    return Table(
        number="L",
        title="What in the paper does not add up",
        columns=("About", "Places", "Recomputed", "What follows"),
        rows=tuple((entry.about, "; ".join(entry.places), entry.text, entry.follows) for entry in ENTRIES),
        note="From the paper's printed numbers alone; no number of this run is in it. docs/paper-arithmetic.md has the "
        "sums.",
        wrapped=(0, 1, 2, 3),
        simulated=run.simulated,
    )


TABLES: tuple[Maker, ...] = (table_paper,)

if __name__ == "__main__":
    print(page(), end="")
