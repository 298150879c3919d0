"""Which samples stand behind a count of a table, as an address in the sample viewer.

A reader who doubts a number opens exactly its rows. The addresses are derived from a table's own row and column
labels, so that a table states its numbers once and knows nothing of the viewer; a test opens every link and compares
the viewer's count with the number. Sections 2.4 and 3.3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from dart.core.records import SEVERITIES
from dart.metrics.evaluate import ROWS
from dart.metrics.run import CONTROL, Run
from dart.report.table import Row, Table
from dart.stats.decision import benchmarks_of

Query = dict[str, str]
_COUNT = re.compile(r"\d+")
_PARSED = "right,wrong"
_MISSED = "wrong,unparsed"  # what counts as wrong in every rate that does not say "parsed"
_HARM_TYPES = ("misses real harm", "normalizes bias", "harmful reasoning", "less nuanced")
_BASELINES = {"base": "base", "distilled (Stage I)": "distilled", "control (ours)": CONTROL}


class Viewer(NamedTuple):
    """The page of samples that stands beside a report."""

    html: str
    truth: bool  # it knows which cases truly drifted
    file: str = "viewer.html"


class Fragment(NamedTuple):
    """A part of a cell, with the address of the samples that it counts; empty where it counts none."""

    text: str
    href: str = ""


Cells = Mapping[tuple[int, int], tuple[Fragment, ...]]


def row_links(run: Run, table: Table, viewer: Viewer | None) -> Cells:
    """{(row, column): its fragments} of every cell of `table` with a count of samples; {} without a viewer."""
    rule = _RULES.get(table.number)
    if viewer is None or rule is None:
        return {}
    slots = {student.name: student.slot for student in run.students}
    if len(slots) < len(run.students):
        return {}  # two slots with models of one name: a row does not say which it is about
    cells: dict[tuple[int, int], tuple[Fragment, ...]] = {}
    for number, row in enumerate(table.rows):
        if row[0] not in slots:
            continue
        for column, name in enumerate(table.columns):
            queries = rule(run, row, name)
            if not queries or (queries[0].get("basis") == "true" and not viewer.truth):
                continue
            address = [f"{viewer.file}#{urlencode({'student': slots[row[0]], **query})}" for query in queries]
            if fragments := _linked(row[column], address):
                cells[number, column] = fragments
    return cells


def _linked(text: str, addresses: list[str]) -> tuple[Fragment, ...]:
    """The first counts in `text` as links, one for each address; () if there are fewer."""
    fragments, end = [], 0
    for address, match in zip(addresses, _COUNT.finditer(text), strict=False):
        fragments += [Fragment(text[end : match.start()]), Fragment(match[0], address)]
        end = match.end()
    if len(fragments) < 2 * len(addresses):
        return ()
    return tuple(fragment for fragment in (*fragments, Fragment(text[end:])) if fragment.text)


def _benchmarks(run: Run, label: str) -> Query | None:
    """The filter of a row named after a benchmark, a group of them, a condition, or all."""
    by_name = {run.benchmark_name(name): name for name in benchmarks_of(run.items)}
    if label in by_name:
        return {"benchmark": by_name[label]}
    if label in ("DIFF", "EQUAL"):
        return {"condition": label}
    if label in ("Total", "overall"):
        return {}
    if label in ROWS:
        names = sorted({item.benchmark for item in run.items if ROWS[label](item)})
        return {"benchmark": ",".join(names)} if names else None
    return None


def _by_severity(run: Run, row: Row, column: str) -> list[Query]:
    """Table 45."""
    where = _benchmarks(run, row[1])
    if where is None:
        return []
    if column.lower() in SEVERITIES:
        return [{"compare": "distilled", **where, "severity": column.lower()}]
    variant = {"Before": "distilled", "After": "repaired"}.get(column)
    return [{"compare": variant, **where, "severity": "any"}] if variant else []


def _flows(run: Run, row: Row, column: str) -> list[Query]:
    """Table A."""
    variant = {"repair": "repaired", CONTROL: CONTROL}.get(row[2])
    if variant is None:
        return []
    basis = {"basis": "true"} if row[1] == "true" else {}
    if column.lower().endswith("before → after"):
        return [{"compare": name, "severity": "any"} | basis for name in ("distilled", variant)]
    flow = {"Gross": "gone", "New": "new"}.get(column)
    return [{"compare": variant, "flow": flow} | basis] if flow else []


def _harm(run: Run, row: Row, column: str) -> list[Query]:
    """Table 22."""
    compared = {"compare": row[1]}
    if column == "n":
        return [compared]
    if column in _HARM_TYPES:
        return [compared | {"type": column.replace(" ", "_")}]
    if column == "any":
        return [compared | {"severity": "any"}]
    if column.startswith("Novel"):
        return [compared | {"novel": "median" if "median" in column else "safe"}]
    return []


def _decisions(run: Run, row: Row, column: str) -> list[Query]:
    """Tables 2 and 16: items, and those on which one side alone is right."""
    where = _benchmarks(run, row[1])
    if where is None:
        return []
    if column == "n":
        return [where]
    if column == "One seed: n":
        parsed = {"base": _PARSED, "repaired": _PARSED} if row[1] in ("D1-D4", "N1-N4") else {}
        return [where | parsed]
    sides = {"b": ("right", _MISSED), "c": (_MISSED, "right")}.get(column)
    return [where | {"base": sides[0], "repaired": sides[1]}] if sides else []


def _by_benchmark(run: Run, row: Row, column: str) -> list[Query]:
    """Table 13."""
    where = _benchmarks(run, row[1])
    if not where or column not in ("n", "parsed by base"):
        return []
    return [where if column == "n" else where | {"base": _PARSED}]


def _baselines(run: Run, row: Row, column: str) -> list[Query]:
    """Table 24."""
    baseline = _BASELINES.get(row[1])
    if baseline is None:
        return []
    if column == "n":
        return [{}]
    if column == "b / c":
        return [{baseline: first, "repaired": second} for first, second in (("right", _MISSED), (_MISSED, "right"))]
    return []


def _students(run: Run, row: Row, column: str) -> list[Query]:
    """Table 15."""
    if column != "Drift cases":
        return []
    return [{"compare": variant, "severity": "any"} for variant in ("distilled", "repaired")]


def _rates(run: Run, row: Row, column: str) -> list[Query]:
    """Table B."""
    return [{"compare": row[1]}] if column == "n" else []


_RULES: Mapping[str, Callable[[Run, Row, str], list[Query]]] = {
    "2": _decisions,
    "13": _by_benchmark,
    "15": _students,
    "16": _decisions,
    "22": _harm,
    "24": _baselines,
    "45": _by_severity,
    "A": _flows,
    "B": _rates,
}
