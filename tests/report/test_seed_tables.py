"""Tables S and V: what each training seed came to, and where the variance lies."""

from __future__ import annotations

import copy
from typing import Any

from dart.metrics.run import Run
from dart.metrics.training_seeds import seed_metrics, summary
from dart.report.table import NONE, NOT_RUN, number, percent
from dart.report.tables.seeds import QUANTITIES, table_seeds, table_variance
from tests.support.finished_run import REFERENCE_SEED, run_of_seed


def test_every_quantity_is_a_row_with_its_seeds(run: Run) -> None:
    table = table_seeds(run)
    assert table.status == "regenerated"
    assert len(table.rows) == 2 * len(QUANTITIES)
    assert table.columns[2:4] == ("Seed 42", "Seed 0")
    rows = {(row[0], row[1]): row for row in table.rows}
    entry = run.metric("seeds", "students", "small", "quantities", "repaired", "accuracy")
    row = rows["nano_small", "repaired: accuracy"]
    assert row[2] == number(entry["points"]["42"])
    assert row[4].startswith(f"{number(entry['mean'])} [")
    assert row[5] == number(entry["sd"])
    difference = run.metric("seeds", "students", "base", "quantities", "reduction_true", "difference")
    row = rows["nano_base", "net reduction of true drift repair − control"]
    assert row[3] == percent(difference["points"]["0"])


def test_many_seeds_are_shown_by_their_spread(run: Run) -> None:
    seeds = {**run.metric("seeds"), "seeds": list(range(100))}
    many = run.model_copy(update={"metrics": {**run.metrics, "seeds": seeds}})
    assert table_seeds(many).columns == ("Student", "Quantity", "Mean [95 % CI]", "SD", "Range")


def test_one_seed_says_what_is_missing(run: Run) -> None:
    runs = {REFERENCE_SEED: run_of_seed(REFERENCE_SEED)}
    seeds: dict[str, Any] = seed_metrics(runs, None)
    single = run.model_copy(update={"metrics": {**run.metrics, "seeds": seeds}})
    table = table_seeds(single)
    assert table.status == "partly"
    assert "two training seeds" in table.needs
    assert all(row[-2:] == (NOT_RUN, NOT_RUN) for row in table.rows)
    assert not any("true" in row[1] for row in table.rows)
    assert table_variance(single).status == "not run"


def test_shares_of_the_variance(run: Run) -> None:
    table = table_variance(run)
    assert table.status == "regenerated"
    assert len(table.rows) == 2 * 3 * 3
    entry = run.metric("seeds", "students", "small", "variance", "distilled", "correct")
    row = table.rows[0]
    assert row[:3] == ("nano_small", "distilled", "right answers")
    parts = ("seeds", "scenarios", "items", "residual")
    assert row[3:7] == tuple(percent(entry[name]["share"]) for name in parts)
    assert row[7:9] == ("2", "160")


def test_seeds_without_a_drift_case_have_no_reduction(run: Run) -> None:
    seeds = copy.deepcopy(run.metric("seeds"))
    for student in seeds["students"].values():
        for measure in student["quantities"]["reduction_audited"]:
            student["quantities"]["reduction_audited"][measure] = summary({42: None, 0: None})
    table = table_seeds(run.model_copy(update={"metrics": {**run.metrics, "seeds": seeds}}))
    assert table.status == "regenerated"
    rows = [row for row in table.rows if row[1].startswith("net reduction of audited")]
    assert {row[2:] for row in rows} == {(NONE,) * 5}


def test_counts_are_whole_and_their_means_are_not(run: Run) -> None:
    seeds = copy.deepcopy(run.metric("seeds"))
    for student in seeds["students"].values():
        student["quantities"]["repaired"]["drift_cases"] = summary({42: 2, 0: 5})
    table = table_seeds(run.model_copy(update={"metrics": {**run.metrics, "seeds": seeds}}))
    row = next(row for row in table.rows if row[1] == "repaired: drift cases, audited")
    assert row[2:] == ("2", "5", "3.5 [−15.6, 22.6]", "2.1", "2 to 5")
