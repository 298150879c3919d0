"""Table 2 beyond its numbers: what a result that is not significant could have found."""

from __future__ import annotations

from dart.metrics.run import Run
from dart.report.tables.results import table2


def test_a_result_that_is_not_significant_says_what_it_could_have_found(run: Run) -> None:
    weak = run.metric("hypotheses", "hypotheses")
    weak = [{**entry, "p_adjusted": 0.5} for entry in weak]
    hypotheses = {**run.metrics["hypotheses"], "hypotheses": weak}
    table = table2(run.model_copy(update={"metrics": {**run.metrics, "hypotheses": hypotheses}}))
    row = next(row for row in table.rows if row[1] == "overall")
    metrics = run.metric("tests", "students", "small", "base_repaired", "decision", "overall")
    assert row[6] == f"n.s. (detectable: {metrics['minimum_detectable_difference']:.3f})"
