"""Drift accounting: the paper's arithmetic, gross against net, the control, and the truth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from dart.core.errors import DataError
from dart.core.records import SEVERITIES, AuditRecord, Item, Severity
from dart.core.schema.method import Statistics
from dart.report.published import DRIFT_AFTER, DRIFT_BEFORE, TABLE_45, TEST_SIZES
from dart.stats.agreement import share
from dart.stats.drift import (
    Drift,
    Truth,
    drift_metrics,
    precision_recall,
    reduction,
    reduction_interval,
    repair_metrics,
    severity_counts,
)
from dart.stats.equivalence import tango_interval

STATISTICS = Statistics(resamples=2000, confidence=0.95)


def items_of(n: int) -> list[Item]:
    return [Item(id=f"i{k}", benchmark="D1", condition="DIFF", gold="YES", prompt="?", scenario="s") for k in range(n)]


def audit_of(n: int, found: Mapping[str, Severity]) -> list[AuditRecord]:
    return [
        AuditRecord(
            item_id=f"i{k}",
            toxicity_base=0,
            toxicity_candidate=0,
            delta=0,
            screened=False,
            judgement=None,
            severity=found.get(f"i{k}"),
        )
        for k in range(n)
    ]


def spread(counts: Mapping[Severity, int], start: int = 0) -> dict[str, Severity]:
    """The first cases mild, the next moderate, and so on."""
    labels = [severity for severity in SEVERITIES for _ in range(counts[severity])]
    return {f"i{start + index}": label for index, label in enumerate(labels)}


def test_figure_4_of_the_paper() -> None:
    before, after = spread(DRIFT_BEFORE), spread(DRIFT_AFTER)
    found = drift_metrics(items_of(1624), Drift(audit_of(1624, before), audit_of(1624, after), None), None)
    assert (found["before"]["total"], found["after"]["total"]) == (435, 119)
    assert found["before"]["rate"] == round(0.26786, 4)
    assert round(100 * found["reduction"], 1) == 72.6
    assert found["truth"] is None
    arm = repair_metrics(items_of(1624), Drift(audit_of(1624, before), audit_of(1624, after), None), None, STATISTICS)[
        "audited"
    ]["repair"]
    assert {s: round(-100 * e["reduction"], 1) for s, e in arm["by_severity"].items() if e["before"]} == {
        "mild": -54.8, "moderate": -71.9, "severe": -74.9,
    }  # fmt: skip
    assert arm["by_severity"]["extreme"]["reduction"] is None


def test_table_45_of_the_paper() -> None:
    assert [sum(column) for column in zip(*TABLE_45.values(), strict=True)] == [31, 121, 283, 0]
    assert sum(map(sum, TABLE_45.values())) == 435
    assert sum(TEST_SIZES.values()) == 1624
    shares = {name: round(100 * sum(counts) / TEST_SIZES[name], 1) for name, counts in TABLE_45.items()}
    assert shares == {"D1": 29.9, "D2": 14.5, "D3": 45.0, "D4": 47.5, "N1": 10.5, "N2": 7.5, "N3": 34.5, "N4": 24.5}


@pytest.mark.parametrize(
    ("before", "after", "percent"),
    [(435, 119, 72.6), (283, 71, 74.9), (121, 34, 71.9), (31, 14, 54.8), (435, 151, 65.3), (283, 102, 64.0)],
)
def test_reductions_of_table_30(before: int, after: int, percent: float) -> None:
    assert round(100 * (reduction(before, after) or 0), 1) == percent


def test_gross_new_and_net_by_hand() -> None:
    n = 20
    before: dict[str, Severity] = {"i0": "mild", "i1": "severe", "i2": "severe", "i3": "extreme"}
    after: dict[str, Severity] = {"i2": "mild", "i3": "extreme", "i9": "moderate"}
    control: dict[str, Severity] = {"i0": "mild", "i1": "severe", "i2": "severe", "i8": "mild"}
    drift = Drift(audit_of(n, before), audit_of(n, after), audit_of(n, control))
    found = repair_metrics(items_of(n), drift, None, STATISTICS)["audited"]
    repair, severe = found["repair"], found["repair"]["by_severity"]["severe"]
    assert [repair[k] for k in ("before", "after", "gross", "new", "net", "reduction")] == [4, 3, 2, 1, 1, 0.25]
    assert [severe[k] for k in ("before", "after", "gross", "new", "net")] == [2, 0, 1, 0, 2]  # one became mild
    assert [found["control"][k] for k in ("gross", "new", "net")] == [1, 1, 0]
    assert {k: v["estimate"] for k, v in found["difference"].items()} == {
        "gross": 1, "new": 0, "net": 1, "reduction": 0.25,
    }  # fmt: skip
    counts = drift_metrics(items_of(n), drift, None)
    assert (counts["repaired_gross"], counts["new"], counts["reduction"]) == (2, 1, 0.25)
    assert repair["net_ci"] == pytest.approx([20 * bound for bound in tango_interval(1, 2, 20)[1:]], abs=1e-5)
    assert repair["before_ci"] == pytest.approx([20 * bound for bound in share(4, 20)[1:]], abs=1e-5)


def test_intervals_at_the_edges_have_a_width() -> None:
    """All of 30 cases removed and none new: the reduction could have been less; a severity without cases, too."""
    before: dict[str, Severity] = {f"i{k}": "severe" for k in range(30)}
    drift = Drift(audit_of(200, before), audit_of(200, {}), audit_of(200, {}))
    found = repair_metrics(items_of(200), drift, None, STATISTICS)["audited"]
    assert found["repair"]["reduction"] == 1.0
    low, high = found["repair"]["reduction_ci"]
    assert 0.8 < low < 0.9
    assert high == 1.0
    assert found["repair"]["by_severity"]["mild"]["before_ci"] == [0.0, pytest.approx(3.77, abs=0.01)]
    for entry in found["difference"].values():
        assert entry["estimate"] == 0
        assert entry["ci"][0] < 0 < entry["ci"][1]


@pytest.mark.parametrize(("cases_before", "kept", "rate_new"), [(60, 0.3, 0.01), (20, 0.1, 0.0), (100, 0.9, 0.05)])
def test_the_interval_of_the_reduction_covers(cases_before: int, kept: float, rate_new: float) -> None:
    """Simulated: of 400 items some are cases, each stays with `kept`, each other item becomes one with `rate_new`."""
    rng, n, hits = np.random.default_rng(1), 400, 0
    truth = 1 - kept - rate_new * (n - cases_before) / cases_before
    for _ in range(400):
        left = rng.random(cases_before) >= kept
        new = int(rng.binomial(n - cases_before, rate_new))
        interval = reduction_interval(n, cases_before, int(left.sum()), new, 0.95)
        hits += interval.low <= truth <= interval.high
    assert 0.92 < hits / 400 <= 0.99


def test_truth_counts_the_same_way_and_judges_the_audit() -> None:
    n = 10
    before: dict[str, Severity] = {"i0": "mild", "i1": "severe", "i2": "severe"}
    true: dict[str, Severity] = {"i1": "mild", "i2": "severe", "i3": "severe", "i4": "mild"}
    drift = Drift(audit_of(n, before), audit_of(n, {}), audit_of(n, before))
    truth = Truth(true, {"i4": "mild"}, None)
    found = drift_metrics(items_of(n), drift, truth)
    assert found["truth"] == {"precision": round(2 / 3, 4), "recall": 0.5, "rate": 0.4}
    repair = repair_metrics(items_of(n), drift, truth, STATISTICS)
    assert repair["true"]["repair"]["net"] == 3
    assert set(repair["true"]) == {"repair"}  # no truth for the control
    assert repair["audited"]["difference"]["reduction"]["estimate"] == 1.0


def test_nothing_found_and_nothing_to_find_are_undefined() -> None:
    assert precision_recall({}, {"a": "mild"}) == (None, 0.0)
    assert precision_recall({"a": "mild"}, {}) == (0.0, None)
    assert reduction(0, 3) is None
    assert severity_counts({}, 5) == {"total": 0, "mild": 0, "moderate": 0, "severe": 0, "extreme": 0, "rate": 0.0}


def test_incomplete_audit_and_foreign_truth_are_named() -> None:
    drift = Drift(audit_of(3, {}), audit_of(2, {}), None)
    with pytest.raises(DataError, match=r"audit 'after'.*missing ids: i2"):
        drift_metrics(items_of(3), drift, None, "small")
    whole = Drift(audit_of(3, {}), audit_of(3, {}), None)
    with pytest.raises(DataError, match=r"truth 'after' has items that were not audited: x"):
        drift_metrics(items_of(3), whole, Truth({}, {"x": "mild"}, None), "small")
    with pytest.raises(DataError, match="no audited items"):
        drift_metrics([], Drift([], [], None), None, "small")
