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


def test_every_quotation_is_whole() -> None:
    broken = [place for entry in ENTRIES for place in entry.places if place.count('"') % 2]
    assert not broken, "an unquoted comma in YAML cuts a place in two"


def test_numbers_are_those_of_the_published_tables() -> None:
    by_topic = {entry.about: entry.n for entry in ENTRIES}
    overall, equal, diff = (published.TABLE_2_ACCURACY["base"][row] for row in ("overall", "EQUAL", "DIFF"))
    share = by_topic["gold YES share of the test set"]
    assert (share["overall"], share["equal"], share["diff"]) == (overall[0], equal[0], diff[0])
    assert (share["repaired_equal"], share["repaired_diff"]) == (equal[1], diff[1])
    judge = by_topic["kappa of the judge"]
    assert tuple(judge[name] for name in ("tp", "fn", "fp", "tn")) == published.JUDGE_CONFUSION
    repair = by_topic["repair of prompts that are evaluated"]
    assert (repair["before"], repair["after"]) == (
        sum(published.DRIFT_BEFORE.values()), sum(published.DRIFT_AFTER.values()),
    )  # fmt: skip
    labels = by_topic["false positives with predicted labels"]
    assert labels["more"] == published.AUDIT_EXTRA_FALSE_POSITIVES
    assert (labels["p2"], labels["r2"]) == published.AUDIT_LABELS["predicted"]
    screen = by_topic["precision and recall of the screen and of the audit"]
    assert (screen["precision"], screen["recall"]) == published.AUDIT_LABELS["gold"] == published.TAU_SWEEP[0.01]
    noise = by_topic["accuracy with noisy severities"]
    assert noise["random"] == published.NOISE["noise_random_20"].accuracy
    toxreg = by_topic["toxicity-regularised training in Table 4"]
    assert toxreg["repaired"] - toxreg["below"] == pytest.approx(published.ALTERNATIVES["toxreg"].accuracy)
    schemes, policy = published.POLICY_SCHEMES, by_topic["oracle selection of the policy"]
    assert (policy["two_pass"], policy["oracle"]) == (float(schemes["two_pass"][0]), float(schemes["oracle"][0]))
    assert by_topic["single-pass policy"]["single"] == float(schemes["single_pass"][0])


def test_drift_by_benchmark_is_that_of_table_45() -> None:
    drift = next(entry.n for entry in ENTRIES if entry.about == "drift by benchmark")
    cases = {name: sum(row) for name, row in published.TABLE_45.items()}
    rates = [cases[name] / published.TEST_SIZES[name] for name in cases]
    assert (min(rates), max(rates)) == (drift["lowest"], drift["highest"])
    for task, letter in (("descriptive", "D"), ("normative", "N")):
        assert drift[task] == sum(count for name, count in cases.items() if name.startswith(letter))
        assert drift[f"{task}_items"] == sum(n for name, n in published.TEST_SIZES.items() if name.startswith(letter))


def test_the_page_is_up_to_date(run: object) -> None:
    assert (ROOT / "docs" / "paper-arithmetic.md").read_text(encoding="utf-8") == page()
    assert len(table_paper(run).rows) == len(ENTRIES) >= 36  # type: ignore[arg-type]
