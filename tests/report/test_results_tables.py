"""Table 2 beyond its numbers: interval, p and n of the same pairs, and what a result that is not shown could "
"have found."""

from __future__ import annotations

from math import hypot

import pytest

from dart.metrics.registry import ALPHA, main_p, table2_name
from dart.metrics.run import Run
from dart.report.table import bounds, p_value
from dart.report.tables.results import table2, table_unchanged
from dart.stats.power import CrossedVariance, detectable_over_seeds


def test_a_result_that_is_not_shown_says_what_it_could_have_found(run: Run) -> None:
    entry = run.metric("seeds", "students", "small", "contrasts", "base_repaired", "diff_accuracy")
    weak = {**run.metrics, "seeds": _with_p(run, 0.9)}
    row = next(r for r in table2(run.model_copy(update={"metrics": weak})).rows if r[1] == "DIFF")
    sd = CrossedVariance(
        entry["sd"]["seeds"], hypot(entry["sd"]["items"], entry["sd"].get("scenarios", 0.0)), entry["sd"]["residual"]
    )
    smallest = detectable_over_seeds(sd, 2, 80, alpha=ALPHA / len(main_p(weak)))
    assert row[5] == f"n.s. (detectable: {smallest:.3f})"


def _with_p(run: Run, p: float) -> dict[str, object]:
    """The run's seeds with this p in every row of Table 2."""
    seeds = dict(run.metric("seeds"))
    students = {}
    for slot, student in seeds["students"].items():
        contrast = {name: {**entry, "p": p} for name, entry in student["contrasts"]["base_repaired"].items()}
        students[slot] = {**student, "contrasts": {**student["contrasts"], "base_repaired": contrast}}
    return {**seeds, "students": students}


def test_stars_are_of_the_corrected_test_over_seeds(run: Run) -> None:
    strong = {**run.metrics, "seeds": _with_p(run, 1e-12)}
    table = table2(run.model_copy(update={"metrics": strong}))
    assert {row[5] for row in table.rows if row[1] != "overall without N1, N2"} == {"***"}
    p = main_p(strong)[table2_name("small", "overall")]
    assert next(row for row in table.rows if row[1] == "overall")[6] == p_value(p)


def test_interval_p_and_n_of_a_row_are_of_the_same_pairs(run: Run) -> None:
    entries = {(e["student"], e["row"]): e for e in run.metric("hypotheses", "hypotheses")}
    student = run.students[0]
    for row in table2(run).rows[:6]:
        if row[1] not in ("D1-D4", "N1-N4"):
            continue
        entry = entries["small", row[1]]
        pairs = [
            (before.prediction == item.gold, after.prediction == item.gold)
            for item, before, after in zip(
                run.items, student.generations["base"], student.generations["repaired"], strict=True
            )
            if item.benchmark.startswith(row[1][0]) and before.prediction and after.prediction
        ]
        assert row[7] == str(len(pairs)) == str(entry["n"])
        change = sum(after - before for before, after in pairs) / len(pairs)
        assert entry["estimate"] == pytest.approx(change, abs=1e-6)
        assert row[8].endswith(bounds(entry["ci"]))
        assert row[9] == p_value(entry["p_adjusted"])


def test_unchanged_is_tested_for_every_part_over_seeds_and_over_items(run: Run) -> None:
    rows = [row for row in table_unchanged(run).rows if row[0] == "nano_small"]
    assert [row[2] for row in rows] == ["overall", "DIFF", "EQUAL"] * 4
    assert rows[0][3] == "2 seeds × 160 items"
    assert rows[6][3] == "1 seed, 160 items"
