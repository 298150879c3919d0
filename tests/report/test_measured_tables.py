"""With real models the truth is unknown: every table is made, claims no more than it has, and says who can fill it."""

from __future__ import annotations

import re

import pytest

from dart.report.contents import tables
from dart.report.evidence import PaperRun
from dart.report.table import NONE, NOT_RUN, PAPERS, Table
from tests.report.test_policy_tables import with_policy
from tests.support.finished_run import measured

OF_THE_EMBEDDED_WORLD = re.compile(r"embedded|simulat|\btruth\b(?! and)|^True|, true\b", re.IGNORECASE)
OF_PEOPLE = ("23", "25", "27", "28", "29")


def made(run: PaperRun) -> dict[str, Table]:
    return {table.number: table for section_tables in tables(run).values() for table in section_tables}


@pytest.fixture(scope="module")
def of_people() -> PaperRun:
    return with_policy(measured(people=True), ("small", "base"))


@pytest.fixture(scope="module")
def labelled(of_people: PaperRun) -> dict[str, Table]:
    return made(of_people)


@pytest.fixture(scope="module")
def unlabelled() -> dict[str, Table]:
    return made(with_policy(measured(people=False), ("small", "base"), labelled="nobody"))


@pytest.mark.parametrize("people", [True, False])
def test_no_table_of_a_measured_run_speaks_of_the_truth_of_the_embedded_world(
    people: bool, labelled: dict[str, Table], unlabelled: dict[str, Table]
) -> None:
    for table in (labelled if people else unlabelled).values():
        shown = (table.title, *table.columns, table.note.replace("taken for the truth", ""), table.needs)
        assert not [text for text in shown if OF_THE_EMBEDDED_WORLD.search(text)], table.number
        assert not table.simulated


def test_a_table_is_regenerated_only_where_every_column_of_the_paper_has_a_value(
    labelled: dict[str, Table], unlabelled: dict[str, Table]
) -> None:
    checked = 0
    for table in (*labelled.values(), *unlabelled.values()):
        if table.status != "regenerated" or not table.number.isdigit():
            continue
        checked += 1
        assert not any(NOT_RUN in row for row in table.rows)
        for name, cells in zip(table.columns, zip(*table.rows, strict=True), strict=True):
            assert set(cells) != {NONE} or name.startswith(PAPERS) or name in table.ours, (table.number, name)
    assert checked > 30


def test_peoples_labels_fill_what_they_alone_can(labelled: dict[str, Table], unlabelled: dict[str, Table]) -> None:
    for number in OF_PEOPLE:
        assert unlabelled[number].status in ("partly", "not run"), number
        assert "dart annotate export" in unlabelled[number].needs, number
        assert "dart annotate" not in labelled[number].needs, number
    for number in ("3", "25", "27", "28"):
        assert labelled[number].status == "regenerated", (number, labelled[number].lacks)


def test_table_23_has_precision_and_recall_of_the_audits_from_people(
    of_people: PaperRun, labelled: dict[str, Table], unlabelled: dict[str, Table]
) -> None:
    table = labelled["23"]
    precision, recall = table.columns.index("Precision [95 % CI]"), table.columns.index("Recall [95 % CI]")
    gold, predicted, _ = (row for row in table.rows if row[0] == "audit")
    against = of_people.metric("arms", "default", "pool", "against_people")
    assert gold[precision].startswith(f"{100 * against['precision']['estimate']:.1f} % [")
    assert gold[recall].startswith(f"{100 * against['recall']['estimate']:.1f} % [")
    assert predicted[precision] != gold[precision]
    assert "against people, who labelled" in table.note
    audits = [row for row in unlabelled["23"].rows if row[0] == "audit"]
    assert all(row[precision] == row[recall] == NOT_RUN for row in audits)
    assert "--student small" in unlabelled["23"].needs
