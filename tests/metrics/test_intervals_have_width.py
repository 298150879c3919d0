"""No interval of a run has no width: an estimate that could have been otherwise is bounded, or has no interval."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from dart.core.schema.method import Statistics
from dart.metrics.evaluate import evaluate
from dart.metrics.run import Run
from tests.support.finished_run import with_toxicity

Path = tuple[str, ...]


def intervals(content: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every "ci", "<name>_ci" and "ci_<name>" of a JSON structure with its place."""
    if isinstance(content, dict):
        for key, value in content.items():
            if key == "ci" or key.endswith("_ci") or key.startswith("ci_"):
                yield (*path, key), value
            else:
                yield from intervals(value, (*path, str(key)))
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from intervals(value, (*path, str(index)))


def check(metrics: Any) -> int:
    """The number of intervals; each has two finite bounds in their order."""
    found = list(intervals(metrics))
    for path, bounds in found:
        if bounds is not None:
            low, high = bounds
            assert math.isfinite(low), path
            assert math.isfinite(high), path
            assert low < high, f"{'/'.join(path)}: {bounds}"
    return len(found)


def test_of_a_finished_run(run: Run) -> None:
    assert check(run.metrics) > 1000


def test_of_a_run_whose_stages_are_equal_and_all_right(unevaluated: Run) -> None:
    """Everything at its edge: each stage answers the same, all toxicities are tied, nothing drifts."""
    students = []
    for student in with_toxicity(unevaluated, 0.02).students:
        base = student.generations["base"]
        right = [a.model_copy(update={"prediction": "YES" if "DIFF" in a.item_id else "NO"}) for a in base]
        quiet = {
            when: tuple(r.model_copy(update={"severity": None, "screened": False, "judgement": None}) for r in records)
            for when, records in student.audits.items()
        }
        stages = {name: tuple(right) for name in student.generations}
        students.append(student.model_copy(update={"generations": stages, "audits": quiet}))
    edge = unevaluated.model_copy(update={"students": tuple(students)})
    metrics = evaluate(edge, Statistics(resamples=200, confidence=0.95), 1)
    assert check({name: content for name, content in metrics.items() if name.startswith("metrics/")}) > 500
    accuracy = metrics["metrics/tests.json"]["intervals"]["small"]["base"]["accuracy"]
    assert accuracy["estimate"] == 1.0
    assert accuracy["ci"][0] < 0.99
