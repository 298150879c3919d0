"""What in the paper does not add up: every sum is evaluated, and the page is up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from dart.report import published
from dart.report.paper_arithmetic import ENTRIES, Entry, page, table_paper, values

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.about)
def test_every_sum(entry: Entry) -> None:
    assert len(entry.places) >= 2, "a contradiction has two places"
    assert entry.checks.keys() == entry.expect.keys()
    for name, value in values(entry).items():
        assert value == pytest.approx(entry.expect[name], rel=2e-3), name


def test_numbers_are_those_of_the_published_tables() -> None:
    by_topic = {entry.about: entry.n for entry in ENTRIES}
    overall, equal, diff = (published.TABLE_2_ACCURACY["base"][row] for row in ("overall", "EQUAL", "DIFF"))
    share = by_topic["gold YES share of the test set"]
    assert (share["overall"], share["equal"], share["diff"]) == (overall[0], equal[0], diff[0])
    judge = by_topic["kappa of the judge"]
    assert tuple(judge[name] for name in ("tp", "fn", "fp", "tn")) == published.JUDGE_CONFUSION
    repair = by_topic["repair of prompts that are evaluated"]
    assert (repair["before"], repair["after"]) == (
        sum(published.DRIFT_BEFORE.values()), sum(published.DRIFT_AFTER.values()),
    )  # fmt: skip
    assert by_topic["false positives with predicted labels"]["more"] == published.AUDIT_EXTRA_FALSE_POSITIVES


def test_the_page_is_up_to_date(run: object) -> None:
    assert (ROOT / "docs" / "paper-arithmetic.md").read_text(encoding="utf-8") == page()
    assert len(table_paper(run).rows) == len(ENTRIES) >= 32  # type: ignore[arg-type]
