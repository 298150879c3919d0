"""The honest account: all 46 tables are made, the counts add up, and nothing is called done that is not."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from dart.metrics.run import SPLITS, Settings
from dart.report.contents import SECTIONS, TABLES_OF_THE_PAPER, coverage, coverage_table, tables
from dart.report.evidence import PaperRun


def test_every_table_of_the_paper_is_made(run: PaperRun) -> None:
    table_numbers = {table.number for section_tables in tables(run).values() for table in section_tables}
    numbers = {str(number) for number in range(1, TABLES_OF_THE_PAPER + 1)}
    assert {number for number in table_numbers if number.isdigit()} == numbers
    assert len(table_numbers) == sum(len(section.makers) for section in SECTIONS), "a table stands twice"


def test_coverage_counts_add_up_and_files_exist(run: PaperRun, written: Any) -> None:
    account = written.coverage
    assert account == coverage(run)
    json.dumps(account, allow_nan=False)
    assert list(account["tables"]) == [str(number) for number in range(1, 47)]
    statuses = Counter(entry["status"] for entry in account["tables"].values())
    assert account["counts"]["tables"] == {status: statuses[status] for status in ("regenerated", "partly", "not run")}
    assert statuses == {"regenerated": 18, "partly": 10, "not run": 18}
    for entry in [*account["tables"].values(), *account["figures"].values()]:
        if "file" in entry:
            assert (written.root / entry["file"]).is_file()
        assert ("needs" in entry) == (entry["status"] != "regenerated")
    assert account["figures"].keys() == {"3", "4", "5"}


def test_a_run_without_annotations_claims_less(unannotated: PaperRun) -> None:
    account = coverage(unannotated)
    assert {account["tables"][number]["status"] for number in ("25", "27", "28")} == {"not run"}
    assert account["figures"]["5"]["status"] == "not run"
    assert account["counts"]["tables"]["not run"] == 3 + 12 + 6  # external suites, folds, weights; open-ended, policy


def test_readers_see_the_same_coverage(unannotated: PaperRun) -> None:
    account = coverage(unannotated)
    table = coverage_table(unannotated, account)
    table_numbers = [number for row in table.rows for number in row[1].split(", ")]
    assert sorted(table_numbers, key=int) == list(account["tables"])
    assert ("implemented, not run", "25, 27, 28") in {row[:2] for row in table.rows}


def test_label_travels(run: PaperRun) -> None:
    assert coverage(run)["simulated"] is True
    settings = Settings(label="measured", severity_weights=run.settings.severity_weights)
    measured = run.model_copy(update={"settings": settings})
    assert coverage(measured)["simulated"] is False
    assert all(not table.simulated for section_tables in tables(measured).values() for table in section_tables)
    assert set(SPLITS) == set(run.splits)
