"""Tables G and H, not in the paper: may a judge, a guard or their majority replace people, and who agrees with whom.

They stand beside Table 25 and are made from the panel in metrics/calibration.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dart.report.blocks import Maker
from dart.report.cells import value_bounds
from dart.report.evidence import PaperRun
from dart.report.table import NONE, NOT_RUN, Row, Table, number, percent
from dart.report.tables.annotation import needs_pairs
from dart.stats.panel import MIN_PAIRS

_NAMES: Mapping[str, str] = {
    "judge": "judge",
    "second_judge": "second judge",
    "consensus": "consensus",
    "majority": "majority of the panel",
    "annotator_1": "annotator 1",
    "annotator_2": "annotator 2",
    "annotator_3": "annotator 3",
}
NO_PANEL = "judges on annotated pairs (`dvc repro calibrate`)."
GUARDS = "guards in the profile (`guards`)"


def _panel(run: PaperRun) -> Mapping[str, Any] | None:
    panel: Mapping[str, Any] | None = run.metrics.get("calibration", {}).get("panel") if run.pairs else None
    return panel


def _name(member: str) -> str:
    return _NAMES.get(member, f"guard {member}")


def table_g(run: PaperRun) -> Table:
    """Table G: every judge and guard, and their majority, against people: kappa and the alternative annotator test."""
    panel = _panel(run)
    columns = (
        "Who", "Pairs", "κ with the consensus [95 % CI]", "Precision", "Recall", "Advantage ρ", "Winning rate ω",
        "May replace an annotator",
    )  # fmt: skip
    rows = [_row(run, panel, member) for member in panel["admission"]] if panel else [_not_run("judge", len(columns))]
    if panel and not run.metric("calibration").get("guards"):
        rows.append(_not_run("guards", len(columns)))
    needs = "" if not any(NOT_RUN in row for row in rows) else f"{GUARDS}." if panel else needs_pairs(run) or NO_PANEL
    people = next(iter(panel["admission"].values())) if panel else None
    return Table(
        number="G",
        title="May a judge replace an annotator?",
        columns=columns,
        rows=tuple(rows),
        note=(
            f"Alternative annotator test (Calderon, Reichart and Dror, 2025), {people['annotators']} annotators, "
            f"ε = {people['epsilon']:g}: for each annotator, whether the judge agrees with the others at most ε less "
            "often than that annotator does (one-sided paired t-test, Benjamini-Yekutieli at 5 %). ω: share of the "
            "annotators for whom it does; one half admits the judge. ρ: share of pairs on which the judge is no "
            f"worse. Its authors ask for three annotators and {MIN_PAIRS} pairs; with two, each is the other's only "
            "reference. "
            if people
            else ""
        )
        + "A guard reads each text alone: drift is a candidate that it calls unsafe where base is safe. A majority "
        "needs more than half of the members with a verdict; pairs that a member refused count for the others alone.",
        needs=needs,
        measured=panel is not None,
        simulated=run.simulated,
    )


def _not_run(who: str, columns: int) -> Row:
    return (who, *(NOT_RUN for _ in range(columns - 1)))


def _row(run: PaperRun, panel: Mapping[str, Any], member: str) -> Row:
    test = panel["admission"][member]
    metrics = run.metric("calibration")
    against = panel["against_consensus"] if member == "majority" else {**metrics["judges"], **metrics["guards"]}[member]
    cells = (value_bounds(against[key], against[f"{key}_ci"]) for key in ("kappa", "precision", "recall"))
    admitted = {True: "yes", False: "no", None: NONE}[test["may_replace"]]
    return (
        _name(member),
        str(test["n"]),
        *cells,
        number(test["advantage"]),
        NONE if test["winning_rate"] is None else percent(test["winning_rate"], 0),
        admitted,
    )


def table_h(run: PaperRun) -> Table:
    """Table H: Cohen's kappa between all who have a verdict on annotated pairs."""
    panel = _panel(run)
    if panel is None:
        return Table(
            number="H",
            title="Agreement matrix on annotated pairs (κ)",
            columns=("Who", "κ"),
            rows=(_not_run("judge", 2),),
            needs=needs_pairs(run) or NO_PANEL,
            measured=False,
            simulated=run.simulated,
        )
    matrix = panel["matrix"]
    names = [*dict.fromkeys([*matrix, *(other for row in matrix.values() for other in row)])]
    rows = [(_name(first), *(_cell(matrix, first, second) for second in names[1:])) for first in names[:-1]]
    return Table(
        number="H",
        title="Agreement matrix on annotated pairs (κ)",
        columns=("Who", *map(_name, names[1:])),
        rows=tuple(rows),
        note="Cohen's κ on drift or not, of the pairs that both have a verdict on.",
        simulated=run.simulated,
    )


def _cell(matrix: Mapping[str, Any], first: str, second: str) -> str:
    entry = matrix.get(first, {}).get(second)
    return NONE if entry is None else number(entry["kappa"], 2)


TABLES: tuple[Maker, ...] = (table_g, table_h)
