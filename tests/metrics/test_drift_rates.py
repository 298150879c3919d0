"""Each estimate of the drift rate against numbers worked out by hand, and its absence said, never invented."""

from __future__ import annotations

from typing import Any

import pytest

from dart.core.records import AuditRecord, Item, Judgement, Severity
from dart.core.schema.method import Equivalence, Hypotheses, Statistics
from dart.metrics.drift_rates import drift_rates
from dart.metrics.hypotheses import hypotheses
from dart.metrics.run import Run, StudentRun
from dart.report.table import NONE
from dart.report.tables.results import table_rates, table_unchanged
from dart.stats.annotation import AnnotatedPair

STATISTICS = Statistics(resamples=200, confidence=0.95)
N = 400


def verdict(severity: Severity | None) -> Judgement:
    return Judgement(
        is_regression=severity is not None, severity=severity or "none",
        regression_type="none" if severity is None else "harmful_reasoning", reason="-", a_correct=True, b_correct=True,
    )  # fmt: skip


def record(n: int, screened: bool, found: bool, sampled: bool = False) -> AuditRecord:
    judged = screened or sampled
    return AuditRecord(
        item_id=f"i{n}", toxicity_base=0.1, toxicity_candidate=0.2, delta=0.1, screened=screened, sampled=sampled,
        judgement=verdict("severe" if found else None) if judged else None,
        severity="severe" if found and screened else None,
    )  # fmt: skip


ITEMS = [
    Item(id=f"i{n}", benchmark="N1", condition="DIFF" if n % 2 else "EQUAL", gold="YES" if n % 2 else "NO",
         prompt="q", scenario=str(n))
    for n in range(N)
]  # fmt: skip
# 100 screened, 60 confirmed; of 300 others every tenth is sampled (30), and of these 3 are regressions
RECORDS = tuple(
    record(n, screened=n < 100, found=n < 60 or (n % 100 == 0), sampled=n >= 100 and n % 10 == 0) for n in range(N)
)


def student(run: Run) -> StudentRun:
    return run.students[0].model_copy(update={"audits": {"before": RECORDS}})


def rates(run: Run, annotated: tuple[AnnotatedPair, ...] = (), true: Any = None) -> dict[str, Any]:
    found: dict[str, Any] = drift_rates(ITEMS, student(run), STATISTICS, true, {"before": annotated})["before"]
    return found


def test_the_sample_below_the_screen_enters_with_its_weight(unevaluated: Run) -> None:
    found = rates(unevaluated)
    assert found["raw"]["estimate"] == 60 / N
    assert found["judge_rate"]["estimate"] == pytest.approx((60 + 300 * 3 / 30) / N)
    low, high = found["judge_rate"]["ci"]
    assert low < 0.225 < high
    assert "true" not in found


def test_rates_are_the_students_and_not_the_teachers(unevaluated: Run) -> None:
    both = student(unevaluated).model_copy(update={"audits": {"before": RECORDS, "teacher": RECORDS}})
    assert drift_rates(ITEMS, both, STATISTICS, {"distilled": {}}).keys() == {"before", "differences"}


def test_without_a_sample_or_labels_it_says_so(unevaluated: Run) -> None:
    bare = tuple(
        one.model_copy(update={"sampled": False, "judgement": None}) if one.sampled else one for one in RECORDS
    )
    only = unevaluated.students[0].model_copy(update={"audits": {"before": bare}})
    found = drift_rates(ITEMS, only, STATISTICS, None)["before"]
    assert "unscreened_rate" in found["judge_rate"]["note"]
    assert "annotated" in found["rogan_gladen"]["note"]
    assert "annotate" in found["prediction_powered"]["note"]


def test_labels_correct_the_judge(unevaluated: Run) -> None:
    """The judge misses a quarter of the drift among screened pairs and invents none: 60 confirmed are 80."""
    true = {f"i{n}" for n in range(80)}
    labels = tuple(
        AnnotatedPair(item_id=f"i{n}", delta=0.1, annotators=(label, label), consensus=label)
        for n in range(N)
        for label in ["severe" if f"i{n}" in true else None]
    )
    found = rates(unevaluated, labels, {"distilled": dict.fromkeys(true, "severe")})
    assert found["rogan_gladen"]["estimate"] == pytest.approx(80 / N)
    assert found["prediction_powered"]["estimate"] == pytest.approx(80 / N)
    assert (found["true"], found["true_screened"]) == (80 / N, 80 / N)


def test_labels_of_another_audit_correct_that_audit_and_no_other(unevaluated: Run) -> None:
    """People labelled the repaired student's pairs: 20 of the judge's 60 cases are false alarms there."""
    both = student(unevaluated).model_copy(update={"audits": {"before": RECORDS, "after": RECORDS}})
    labels = [
        AnnotatedPair(item_id=f"i{n}", delta=0.1, annotators=(label, label), consensus=label)
        for n in range(N)
        for label in ["severe" if n < 40 else None]
    ]  # fmt: skip
    found = drift_rates(ITEMS, both, STATISTICS, None, {"after": labels})
    assert found["after"]["rogan_gladen"]["estimate"] == pytest.approx(40 / N)
    assert found["after"]["prediction_powered"]["estimate"] == pytest.approx(40 / N)
    assert "note" in found["before"]["rogan_gladen"]
    first = drift_rates(ITEMS, both, STATISTICS, None, {"before": labels})
    assert first["after"]["rogan_gladen"]["estimate"] == pytest.approx(40 / N), "errors of the first audit carry over"
    assert "note" in first["after"]["prediction_powered"], "labels do not"


def test_a_declared_family_is_what_is_corrected(evaluated: dict[str, Any]) -> None:
    tests = evaluated["metrics/tests.json"]["students"]
    declared = Hypotheses(correction="holm", rows=("overall", "EQUAL"), parsed_only=())
    found = hypotheses(tests, declared, Equivalence(accuracy=0.02))
    assert found["size"] == 4
    assert {(entry["student"], entry["row"]) for entry in found["hypotheses"]} == {
        (slot, row) for slot in ("small", "base") for row in ("overall", "EQUAL")
    }
    assert all(entry["p_adjusted"] == entry["p_holm"] for entry in found["hypotheses"])
    assert [(entry["base"], entry["other"], entry["row"]) for entry in found["unchanged"][:6]] == [
        (base, "repaired", row) for base in ("distilled", "control") for row in ("overall", "DIFF", "EQUAL")
    ]
    wide = hypotheses(tests, declared, Equivalence(accuracy=0.9))["unchanged"]
    assert all(entry["equivalent"] for entry in wide)


def test_tables_show_estimates_and_what_is_missing(run: Run) -> None:
    rows = table_rates(run).rows
    assert len(rows) == 2 * 3
    assert all(row[3].endswith("]") for row in rows)
    assert {row[4] for row in rows} == {NONE}, "these audits drew no sample"
    unchanged = table_unchanged(run).rows
    assert len(unchanged) == 2 * 2 * 3 * 2  # students, baselines, rows of Table 2; over seeds and items, over items
    assert {row[-1] for row in unchanged} <= {"yes", "not shown"}
