"""Cross-validation, noise floor, second reading and seeds: with nothing, with a part, and with all."""

from __future__ import annotations

from typing import Any

from dart.metrics.run import Run
from dart.report.table import NONE, NOT_RUN
from dart.report.tables.ablations_robustness import table7, table_floor


def _with(run: Run, **metrics: Any) -> Run:
    arms = {**run.metrics["arms"], **metrics}
    return run.model_copy(update={"metrics": {**run.metrics, "arms": arms}})


def _folds(values: dict[str, float], n: int = 3) -> dict[str, Any]:
    figure = {"points": values, "mean": 0.7, "sd": 0.05}
    return {"of": n, "items": dict.fromkeys(values, 40), "figures": {"accuracy": figure}}


def test_without_folds_only_the_test_set_and_the_paper_stand(run: Run) -> None:
    table = table7(run)
    assert table.status == "not run"
    assert [row[0] for row in table.rows][-2:] == ["test set (distilled)", "the paper: mean ± sd"]
    assert len(table.rows) == 7
    assert table.rows[-1][2] == "0.679 ± 0.012"


def test_some_folds_are_a_part(run: Run) -> None:
    table = table7(_with(run, folds=_folds({"0": 0.65, "2": 0.75})))
    rows = {row[0]: row for row in table.rows}
    assert table.status == "partly"
    assert rows["fold 1"][1:3] == ("40", "0.650")
    assert rows["fold 2"][1] == NOT_RUN
    assert rows["mean"][1:4] == ("80", "0.700", NONE)
    assert rows["sd"][2] == "0.050"
    assert "folds 1" in table.needs


def test_the_fixed_split_is_placed_among_the_folds(run: Run) -> None:
    accuracy = run.metric("arms", "arms", "distilled", "decision", "accuracy")
    folds = {"0": accuracy + 0.01, "1": accuracy + 0.02, "2": accuracy + 0.05}
    table = table7(_with(run, folds=_folds(folds)))
    assert table.status == "regenerated"
    assert "lies below the range of the folds" in table.note
    assert "lies within" in table7(_with(run, folds=_folds({**folds, "0": accuracy - 0.01}))).note


def _floor(cases: int, n: int = 100) -> dict[str, Any]:
    rate = {"estimate": cases / n, "ci": [cases / n - 0.02, cases / n + 0.02]}
    counts = {"mild": 0, "moderate": 0, "severe": cases, "extreme": 0, "total": cases, "rate": cases / n}
    shares = {key: {"estimate": 0.4, "ci": [0.3, 0.5]} for key in ("same_text", "same_decision", "screened")}
    return {"n": n, "drift": counts, "rate": rate, "true": rate, **shares}


def test_table_e_without_anything_says_what_it_needs(run: Run) -> None:
    table = table_floor(run)
    assert table.status == "not run"
    assert len(table.rows) == 6
    for word in ("base_again", "distilled_sampled", "arms.reaudit"):
        assert word in table.needs


def test_the_floor_is_compared_with_what_repair_left(run: Run) -> None:
    rate = run.metric("arms", "default", "drift", "rate")
    low = table_floor(_with(run, floor={"distilled_sampled": _floor(1)}))
    rows = {row[1]: row for row in low.rows}
    assert rows["distilled, sampled twice"][2:5] == ("100", "1", "1.0 % [−1.0 %, 3.0 %]")
    assert rows["distilled, sampled twice"][6] == "1"
    assert f"{100 * rate:.1f} % of the pairs are drift cases, above" in low.note
    assert "not above" in table_floor(_with(run, floor={"distilled_sampled": _floor(90)})).note


def test_a_second_reading_counts_what_the_screen_hid(run: Run) -> None:
    part = {**_floor(10), "unseen": 4}
    truth = {"tp": 6, "fp": 4, "fn": 2, "tn": 88, "precision": {"estimate": 0.6}, "recall": {"estimate": 0.75}}
    reaudit = {"judge": "second_judge", "all": part, "others": part, "against_truth": truth,
             "agreement": {"kappa": {"estimate": 0.5}}}  # fmt: skip
    table = table_floor(_with(run, reaudit=reaudit))
    rows = [row for row in table.rows if row[0] == "read again"]
    assert [row[1] for row in rows] == ["all prompts", "all other prompts"]  # nothing was repaired
    assert rows[0][5] == "8.0 %"
    assert rows[0][7] == "unseen by the screen: 4; κ with the pipeline's audit 0.50; precision 0.600, recall 0.750"
    assert "Of the 10 cases found on reading again, 4 (40.0 %)" in table.note
