"""An arm beside the default recipe: numbers worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from dart.ablations.comparison import (
    Arm,
    arm_report,
    contrast,
    corrected,
    corrected_over_seeds,
    differences,
    duplicates,
    seed_differences,
)
from dart.core.records import AuditRecord, Generation, Item, Judgement, Label, Severity
from dart.core.schema.method import Statistics

STATISTICS = Statistics(resamples=500, confidence=0.95)
N = 100
ITEMS = [
    Item(id=f"i{n}", benchmark="N1", condition="DIFF" if n % 2 else "EQUAL", gold="YES" if n % 2 else "NO",
         prompt="q", scenario=str(n))
    for n in range(N)
]  # fmt: skip


def arm(drifted: dict[int, Severity], wrong: set[int], true: dict[str, Severity] | None = None) -> Arm:
    answers, audit = [], []
    for n, item in enumerate(ITEMS):
        other: Label = "NO" if item.gold == "YES" else "YES"
        answers.append(
            Generation(
                item_id=item.id,
                variant="x",
                text="t",
                rationale="t",
                prediction=other if n in wrong else item.gold,
                new_tokens=1,
                model="m",
                revision="r",
                prompt_hash="h",
                toxicity=0.1,
            )
        )
        severity = drifted.get(n)
        verdict = Judgement(
            is_regression=severity is not None,
            severity=severity or "none",
            regression_type="harmful_reasoning" if severity else "none",
            reason="-",
            a_correct=True,
            b_correct=True,
        )
        audit.append(
            AuditRecord(item_id=item.id, toxicity_base=0.0, toxicity_candidate=0.1, delta=0.1, screened=True,
                        judgement=verdict, severity=severity)
        )  # fmt: skip
    return Arm(answers, audit, true)


DEFAULT = arm(dict.fromkeys(range(10), "severe"), {0, 1})
OTHER = arm({n: "mild" if n % 2 else "extreme" for n in range(4, 24)}, set(range(1, 11)))


def test_differences_are_paired_and_signed_as_arm_minus_default() -> None:
    found = arm_report(ITEMS, OTHER, DEFAULT, STATISTICS, 1, "arm")
    assert found["drift"]["total"] == 20
    against = found["against_default"]
    assert against["drift"]["difference"]["estimate"] == pytest.approx(0.10)
    assert (against["drift"]["only_default"], against["drift"]["only_arm"]) == (4, 14)
    low, high = against["drift"]["difference"]["ci"]
    assert 0 < low < 0.10 < high
    assert (against["grave"]["only_default"], against["grave"]["only_arm"]) == (7, 7)
    assert against["decision"]["overall"]["difference"]["estimate"] == pytest.approx(-0.08)
    assert against["decision"]["DIFF"]["difference"]["estimate"] == pytest.approx((-5 + 1) / 50)
    overall = against["decision"]["overall"]  # wrong are 0 and 1 in the default, 1 to 10 in the arm
    assert (overall["only_default"], overall["only_arm"]) == (9, 1)
    assert against["decision"]["N"]["p"] == overall["p"]  # every item is normative
    assert "D" not in against["decision"]
    assert against["toxicity"]["median_change"]["estimate"] == 0.0
    assert against["toxicity"]["p"] == 1.0
    assert "true" not in found


def test_a_part_of_the_items_is_reported_alone() -> None:
    found = arm_report(ITEMS[:8], OTHER, DEFAULT, STATISTICS, 1, "half")
    assert (found["n"], found["drift"]["total"]) == (8, 4)
    assert found["against_default"]["drift"]["only_default"] == 4


def test_truth_stands_beside_the_audit_where_it_is_known() -> None:
    truth: dict[str, Severity] = {f"i{n}": "severe" for n in range(30)}
    ours, theirs = OTHER._replace(true=truth), DEFAULT._replace(true={"i0": "mild"})
    found = arm_report(ITEMS, ours, theirs, STATISTICS, 1, "arm")
    assert found["true"]["total"] == 30
    assert found["against_default"]["true"]["difference"]["estimate"] == pytest.approx(0.29)


def test_every_p_is_corrected_over_all_arms() -> None:
    def report(p: float) -> dict[str, Any]:
        return {"against_default": {"drift": {"p": p}, "grave": {"p": 1.0}, "decision": {"overall": {"p": p}}}}

    found = corrected({"a": report(0.01), "b": report(0.02), "c": report(0.5)})
    assert [found[name]["against_default"]["drift"]["p_holm"] for name in "abc"] == [0.03, 0.04, 0.5]
    assert [found[name]["against_default"]["grave"]["p_holm"] for name in "abc"] == [1.0, 1.0, 1.0]


def test_a_comparison_may_be_left_out_of_an_arm() -> None:
    row = {"against_default": {"drift": {"p": 0.01}}, "against_distilled": {"drift": {"p": 0.02}}}
    found = corrected({"a": row, "b": {"against_default": {"decision": {"overall": {"p": 0.3}}}}}, "against_distilled")
    assert found["a"]["against_distilled"]["drift"]["p_holm"] == 0.02
    assert "p_holm" not in found["a"]["against_default"]["drift"]


def test_toxicity_is_compared_by_its_mean_and_the_paper_s_median() -> None:
    safer = OTHER._replace(
        answers=[answer.model_copy(update={"toxicity": 0.05 + 0.0001 * n}) for n, answer in enumerate(OTHER.answers)]
    )
    found = differences(ITEMS, safer, DEFAULT, STATISTICS, 1, "arm")["toxicity"]
    assert found["median_change"]["estimate"] == pytest.approx(0.05495 / 0.1 - 1, abs=1e-6)
    assert found["median_change"]["ci"][1] < 0
    assert found["p"] == found["mean"]["p"] < 1e-10
    assert found["mean"]["difference_x1e5"]["ci"][1] < 0
    assert found["rank_biserial"] == -1.0


def test_what_an_arm_gained_over_base() -> None:
    base = [answer.model_copy(update={"prediction": None if n < 40 else answer.prediction})
            for n, answer in enumerate(DEFAULT.answers)]  # fmt: skip
    found = contrast(ITEMS, OTHER, base, STATISTICS, 1, "arm")
    # base: 60 right of 100, all parsed ones; the arm: 90 right.
    assert found["accuracy"]["estimate"] == pytest.approx(0.30)
    assert found["parse_rate"]["estimate"] == pytest.approx(0.40)
    low, high = found["accuracy"]["ci"]
    assert 0 < low < 0.30 < high
    assert set(found) == {"accuracy", "equal_accuracy", "parse_rate", "toxicity"}
    half = contrast(ITEMS[:40], OTHER, base, STATISTICS, 1, "arm")
    assert half["accuracy"]["estimate"] == pytest.approx(0.75)


def test_one_training_against_several_is_the_t_test_of_a_new_observation() -> None:
    seeds = [arm(dict.fromkeys(range(n), "severe"), set(range(n))) for n in (10, 14, 18)]
    found = seed_differences(ITEMS, OTHER, seeds, STATISTICS, "arm")
    sd = 0.04  # of the rates .10, .14, .18
    for measure, own, mean in (("drift_rate", 0.20, 0.14), ("accuracy", 0.90, 0.86)):
        entry = found[measure]
        assert entry["estimate"] == pytest.approx(own - mean)
        assert entry["se"] == pytest.approx(sd * (4 / 3) ** 0.5, abs=1e-6)
        assert entry["reference"] == pytest.approx(mean)
    assert found["equal_accuracy"]["n_items"] == 50
    assert "true_rate" not in found
    unaudited = [each._replace(audit=[]) for each in seeds]
    assert "drift_rate" not in seed_differences(ITEMS, OTHER, unaudited, STATISTICS, "arm")


def test_runs_with_equal_answers_are_one_hypothesis() -> None:
    same = duplicates({"default": DEFAULT.answers, "a": OTHER.answers, "b": DEFAULT.answers, "c": OTHER.answers})
    assert same == {"b": "default", "c": "a"}

    def report(p: float) -> dict[str, Any]:
        test = {"p": p}
        return {"against_default": {"drift": test}, "against_seeds": {"drift_rate": {"p": p}, "grave_rate": {"p": p}}}

    reports = {name: report(p) for name, p in (("a", 0.01), ("c", 0.01), ("b", 1.0), ("d", 0.02), ("control", 0.001))}
    reports["c"]["same_as"], reports["b"]["same_as"] = "a", "default"
    reports["control"]["context"] = True
    corrected(reports)
    found = {name: each["against_default"]["drift"].get("p_holm") for name, each in reports.items()}
    assert found == {"a": 0.02, "c": 0.02, "b": None, "d": 0.02, "control": None}


def test_the_family_over_seeds_is_one_over_arms_and_measures() -> None:
    def seeds(**p_values: float) -> dict[str, Any]:
        return {measure: {"p": p} for measure, p in p_values.items()}

    reports: dict[str, Any] = {
        "uniform": {"against_seeds": seeds(accuracy=0.01, drift_rate=0.02, grave_rate=0.001)},
        "label_only": {
            "against_seeds": seeds(accuracy=0.5, drift_rate=0.001),
            "against_distilled_seeds": seeds(drift_rate=0.3),
        },
    }
    corrected_over_seeds(reports)
    uniform, label_only = (reports[name]["against_seeds"] for name in ("uniform", "label_only"))
    assert uniform["accuracy"]["p_holm"] == pytest.approx(0.04)  # of four
    assert uniform["drift_rate"]["p_holm"] == pytest.approx(0.06)
    assert "p_holm" not in uniform["grave_rate"]
    assert label_only["accuracy"]["p_holm"] == pytest.approx(0.6)
    assert "p_holm" not in label_only["drift_rate"], "without repair it is compared with the distilled student"
    assert reports["label_only"]["against_distilled_seeds"]["drift_rate"]["p_holm"] == pytest.approx(0.6)
