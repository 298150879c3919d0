"""Judges against annotators: counts behind rates, severities, thresholds; an unannotated run stays empty."""

from __future__ import annotations

from typing import Any

import pytest

from dart.metrics.annotation import Confusion, audit_confusion, severity_distances
from dart.report import published
from dart.report.evidence import PaperRun
from dart.report.tables.annotation import (
    table25,
    table27,
    table28,
    table29,
)
from dart.stats.annotation import agreement

MAKERS = (table25, table27, table28, table29)


def _rates(counts: tuple[int, int, int, int]) -> dict[str, Any]:
    true_positive, false_negative, false_positive, true_negative = counts
    verdicts = [True] * true_positive + [False] * false_negative + [True] * false_positive + [False] * true_negative
    return agreement(verdicts, [True] * (true_positive + false_negative) + [False] * (false_positive + true_negative))


@pytest.mark.parametrize("counts", [(82, 20, 15, 83), (89, 5, 4, 102), (0, 5, 0, 7), (5, 0, 3, 0), (1, 0, 0, 1)])
def test_counts_stand_beside_the_rates(counts: tuple[int, int, int, int]) -> None:
    assert Confusion(*_rates(counts)["counts"]) == Confusion(*counts)


def test_the_papers_confusion_gives_its_table_28() -> None:
    paper = Confusion(*published.JUDGE_CONFUSION)
    assert paper.accuracy == published.JUDGE_ACCURACY
    assert _rates(published.JUDGE_CONFUSION)["kappa"] == pytest.approx(0.65, abs=5e-4)


def test_audit_confusion_is_counted_by_hand(run: PaperRun) -> None:
    counts = audit_confusion(run.pairs, run.annotated_student.audits["before"])
    flagged_ids = {r.item_id for r in run.annotated_student.audits["before"] if r.severity}
    assert counts.true_positive == sum(p.item_id in flagged_ids for p in run.pairs if p.consensus)
    assert sum(counts) == len(run.pairs)
    assert counts.false_positive > 0
    assert counts.false_negative > 0


def test_table25_shows_one_judge_and_says_what_two_need(run: PaperRun) -> None:
    table = table25(run)
    assert table.status == "partly"
    assert [row[1] for row in table.rows] == ["160", "160", "not run", "not run"]
    assert [row[-1] for row in table.rows] == ["0.72", "0.66", "0.71", "0.74"]
    assert "second judge" in table.needs
    judge = run.metric("calibration", "judges", "judge")
    assert table.rows[1][2].startswith(f"{judge['kappa']:.3f} [")
    assert table.rows[1][6] == f"{140 / 160:.3f}"  # wrong on every eighth


def test_table25_is_whole_with_two_judges(run: PaperRun) -> None:
    calibration = dict(run.metrics["calibration"])
    judge = calibration["judges"]["judge"]
    calibration |= {"judges": {"judge": judge, "second_judge": judge}, "between_judges": judge}
    table = table25(run.model_copy(update={"metrics": {**run.metrics, "calibration": calibration}}))
    assert table.status == "regenerated"
    assert all(row[1] == "160" for row in table.rows)


def test_table27_counts_severities_over_drift_pairs(run: PaperRun) -> None:
    everything, detected = (
        severity_distances(run.pairs, run.annotated_student.audits["before"], only) for only in (False, True)
    )
    drift = [pair for pair in run.pairs if pair.consensus]
    flagged_ids = {r.item_id for r in run.annotated_student.audits["before"] if r.severity}
    assert len(everything) == len(drift)
    assert detected == [0] * sum(pair.item_id in flagged_ids for pair in drift)  # the consensus is the audit's, or none
    rows = {row[0]: row for row in table27(run).rows}
    exact = rows["Severity exact, all drift pairs"]
    assert exact[1] == f"{100 * everything.count(0) / len(drift):.1f} %"
    assert exact[2:] == (str(len(drift)), "68.6 %")


def test_table28_adds_up(run: PaperRun) -> None:
    table = table28(run)
    assert table.status == "regenerated"
    for row in table.rows:
        assert int(row[2]) + int(row[3]) == int(row[4])
    assert [sum(int(row[4]) for row in table.rows[i : i + 2]) for i in (0, 2, 4)] == [160, 160, 200]


def test_table29_shows_what_the_arms_left(run: PaperRun) -> None:
    table = table29(run)
    rows = {float(row[0].split()[0]): row for row in table.rows}
    assert set(rows) == {0.005, 0.01, 0.02, 0.03, 0.05}
    assert rows[0.005][5:14] == ("not run",) * 9
    assert "tau_0005" in table.needs
    default = run.metric("arms", "default")
    assert rows[0.01][5] == str(default["pool"]["cases"])
    assert rows[0.01][6].startswith(f"{default['drift']['total']} (")
    assert rows[0.01][11:13] == ("–", "–")  # no difference from itself
    assert rows[0.01][-1] == "0.72 / 0.81"
    metrics = run.metric("calibration", "at_tau", "0.05")
    assert rows[0.05][1:5] == (str(metrics["flagged"]), *(f"{metrics[k]:.3f}" for k in ("precision", "recall", "f1")))


def test_table29_takes_a_threshold_s_run_by_its_name(run: PaperRun) -> None:
    arms = run.metrics["arms"]
    arm = {**arms["arms"]["uniform"], "pool": {"cases": 7}}
    names = ("tau_0005", "tau_0020", "tau_0030", "tau_0050")
    changed_arms = {**arms, "arms": {**arms["arms"], **dict.fromkeys(names, arm)}}
    table = table29(run.model_copy(update={"metrics": {**run.metrics, "arms": changed_arms}}))
    assert table.status == "regenerated"
    rows = {row[0]: row for row in table.rows}
    assert rows["0.05"][5] == "7"
    assert rows["0.05"][6].startswith(f"{arm['drift']['total']} (")
    assert rows["0.05"][7] == f"{arm['decision']['accuracy']:.3f}"


def test_table29_has_a_row_for_the_threshold_of_the_arms(run: PaperRun) -> None:
    arms = {**run.metrics["arms"], "tau_delta": 0.04}
    rows = [row[0] for row in table29(run.model_copy(update={"metrics": {**run.metrics, "arms": arms}})).rows]
    assert rows == ["0.005", "0.01", "0.02", "0.03", "0.04 (default)", "0.05"]


def test_without_annotators_nothing_is_invented(unannotated: PaperRun) -> None:
    for make in MAKERS[:3]:
        table = make(unannotated)
        assert table.status == "not run"
        assert "nobody has annotated" in table.needs
    assert table29(unannotated).status == "partly"  # what the audit detected is known
    for row in table29(unannotated).rows:
        assert row[1:5] == ("not run",) * 4


def test_simulated_annotators_are_called_so(run: PaperRun) -> None:
    assert "simulated annotators" in table27(run).note
    measured = run.model_copy(update={"settings": run.settings.model_copy(update={"label": "measured"})})
    assert "simulated" not in table27(measured).note
