"""metrics/headline.json: few numbers, each the same as in the file it comes from, and absent where it is unknown."""

from __future__ import annotations

from typing import Any

import pytest

from dart.core.schema.method import Statistics
from dart.metrics.evaluate import evaluate
from dart.metrics.headline import MAX_LEAVES, TOXIC_ABOVE, headline_metrics, toxic_share
from dart.metrics.run import CONTROL, Run

STATISTICS = Statistics(resamples=200, confidence=0.95)


def by_name(evaluated: dict[str, Any]) -> dict[str, Any]:
    return {path[8:-5]: content for path, content in evaluated.items() if path.startswith("metrics/")}


def test_it_is_flat_small_and_rounded(evaluated: dict[str, Any]) -> None:
    headline = evaluated["metrics/headline.json"]
    assert list(headline) == ["small", "base"]
    for leaves in headline.values():
        assert 0 < len(leaves) <= MAX_LEAVES
        assert all(isinstance(value, int | float) and value == round(value, 4) for value in leaves.values())


def test_numbers_are_those_of_the_other_files(run: Run, evaluated: dict[str, Any]) -> None:
    leaves, metrics = evaluated["metrics/headline.json"]["base"], by_name(evaluated)
    repaired = metrics["decision"]["base"]["repaired"]
    assert leaves["n"] == len(run.items)
    for name in ("accuracy", "equal_accuracy", "diff_accuracy", "parse_rate"):
        assert leaves[name] == repaired[name]
    base = metrics["decision"]["base"]["base"]["accuracy"]
    assert leaves["accuracy_gain"] == pytest.approx(leaves["accuracy"] - base)
    audited = metrics["repair"]["base"]["audited"]
    for when in ("before", "after"):
        assert leaves[f"drift_cases_{when}"] == audited["repair"][when]
    against = audited["difference"]["reduction"]
    assert leaves["reduction_vs_control"] == round(against["estimate"], 4)
    low, high = against["ci"]
    assert (leaves["reduction_vs_control_low"], leaves["reduction_vs_control_high"]) == (round(low, 4), round(high, 4))


def test_the_tail_is_counted_by_hand(unevaluated: Run) -> None:
    answers = unevaluated.students[0].generations["distilled"][:4]
    scores = (0.0, TOXIC_ABOVE, 0.11, 0.9)
    scored = [answer.model_copy(update={"toxicity": score}) for answer, score in zip(answers, scores, strict=True)]
    assert toxic_share(scored) == 0.5, "a score at the threshold is not above it"
    assert toxic_share([]) is None


def test_without_a_control_or_a_judged_sample_keys_are_absent(unevaluated: Run, evaluated: dict[str, Any]) -> None:
    student = unevaluated.students[0]
    alone = student.model_copy(
        update={
            "generations": {name: answers for name, answers in student.generations.items() if name != CONTROL},
            "audits": {name: records for name, records in student.audits.items() if name != CONTROL},
        }
    )
    headline = evaluate(unevaluated.model_copy(update={"students": (alone,)}), STATISTICS, 3)["metrics/headline.json"]
    assert not [name for name in headline["small"] if name.startswith("reduction_vs_control")]
    assert "drift_rate_before" not in headline["small"], "these audits judged no pair below the screen"
    metrics = by_name(evaluated)
    rates = {"judge_rate": {"estimate": 0.25, "ci": [0.2, 0.3]}}
    corrected = {slot: {"before": rates, "after": rates} for slot in ("small", "base")}
    assert headline_metrics(unevaluated, metrics | {"drift_rate": corrected})["small"]["drift_rate_after"] == 0.25
