"""Arms beside the default recipe: levels, signed differences, and arms that this run does not have."""

from __future__ import annotations

from dart.metrics.run import Run
from dart.report.table import NONE, NOT_RUN
from dart.report.tables.ablations_weights import table30, table31, table_arms


def _row(rows: tuple[tuple[str, ...], ...], name: str) -> tuple[str, ...]:
    return next(row for row in rows if row[0] == name)


def test_table30_shows_severities_and_what_repair_took_away(run: Run) -> None:
    table = table30(run)
    weighted = _row(table.rows, "weighted (default)")
    drift, before = run.metric("arms", "default", "drift"), run.metric("arms", "arms", "distilled", "drift")
    severities = [str(drift[name]) for name in ("mild", "moderate", "severe", "extreme")]
    assert list(weighted[4:8]) == severities
    assert weighted[8].startswith(f"{drift['total']} (")
    assert weighted[9] == f"{100 * (1 - drift['total'] / before['total']):.1f} %"
    assert weighted[10] == weighted[12] == NONE  # the default has no difference from itself
    assert weighted[-1] == "0.688 / 0.726 / 14 / 34 / 71 / 119 / −72.6 %"
    assert _row(table.rows, "uniform")[-1] == "0.682 / 0.714 / 10 / 39 / 102 / 151 / −65.3 %"
    assert table.status == "regenerated"


def test_a_row_shows_the_arm_s_own_numbers(run: Run) -> None:
    row = _row(table30(run).rows, "uniform")
    metrics = run.metric("arms", "arms", "uniform")
    assert row[8].startswith(f"{metrics['drift']['total']} (")
    estimate = metrics["against_seeds"]["drift_rate"]["estimate"]
    assert row[10].startswith(("+" if estimate > 0 else "−") + f"{abs(estimate):.3f}")
    assert row[14].startswith(f"{metrics['true']['total']} (")


def test_missing_arms_are_named_and_never_invented(run: Run) -> None:
    table = table31(run)
    assert table.status == "partly"
    sizes = {row[0]: row[1] for row in table.rows}
    assert len(sizes) == 8
    assert [name for name, n in sizes.items() if n != NOT_RUN] == ["default", "noise_up_20", "uniform"]
    assert "noise_random_40" in table.needs
    assert "noise_up_20" not in table.needs


def test_table31_counts_what_is_left_more(run: Run) -> None:
    arms = run.metric("arms")
    change = arms["arms"]["noise_up_20"]["drift"]["total"] - arms["default"]["drift"]["total"]
    row = _row(table31(run).rows, "noise_up_20")
    assert row[8] == f"{change:+d}".replace("-", "−")
    assert row[-1] == "0.686 / 0.722 / 3.56 / 127"


def test_every_arm_of_the_run_stands_in_table_d(run: Run) -> None:
    table = table_arms(run)
    names = [row[0] for row in table.rows]
    assert names[:3] == ["default (repaired)", "base", "distilled"]
    assert names[3:] == ["label_only", "noise_up_20", "second_judge", "uniform"]
    assert _row(table.rows, "base")[6:9] == (NONE, NONE, NONE)  # no drift against itself
    assert "uniform: what uniform is." in table.note


def test_table_d_stands_without_any_arm(run: Run) -> None:
    arms = {**run.metrics["arms"], "arms": {}}
    changed_run = run.model_copy(update={"metrics": {**run.metrics, "arms": arms}})
    assert [row[0] for row in table_arms(changed_run).rows] == ["default (repaired)"]
    assert table30(changed_run).status == "partly"
