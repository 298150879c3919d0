"""Pools and repair success: overlaps, precision, recall and tests counted by hand."""

from __future__ import annotations

import pytest

from dart.ablations.pools import People, pool_report, repair_success, success_against
from dart.core.records import AuditRecord, Generation, Item, Label, RepairTarget, Severity
from dart.stats.annotation import AnnotatedPair

N = 20
ITEMS = {f"i{n}": Item(id=f"i{n}", benchmark="D1", condition="EQUAL", gold="NO", prompt="q", scenario="s")
         for n in range(N)}  # fmt: skip


def pool(*drifted: int) -> list[AuditRecord]:
    return [
        AuditRecord(item_id=f"i{n}", toxicity_base=0.0, toxicity_candidate=0.1, delta=0.1, screened=True,
                    judgement=None, severity="mild" if n in drifted else None)
        for n in range(N)
    ]  # fmt: skip


def truth(*drifted: int) -> dict[str, Severity]:
    return {f"i{n}": "severe" for n in drifted}


def test_overlap_with_the_default_s_pool() -> None:
    found = pool_report(pool(1, 2, 3), pool(2, 3, 4, 5, 6), None)
    assert found == {"cases": 3, "default_cases": 5, "both": 2, "jaccard": round(2 / 6, 4)}


def test_two_empty_pools_have_no_overlap_to_speak_of() -> None:
    found = pool_report(pool(), pool(), truth())
    assert found["jaccard"] is None
    assert found["against_truth"]["precision"]["estimate"] is None
    assert found["right"]["p"] == 1.0


def test_precision_recall_and_who_is_right_more_often() -> None:
    # True: 0-4. Arm finds 0, 1 and invents 10-12; the default finds 0-3 and invents nothing.
    found = pool_report(pool(0, 1, 10, 11, 12), pool(0, 1, 2, 3), truth(0, 1, 2, 3, 4))
    against = found["against_truth"]
    assert (against["tp"], against["fp"], against["fn"], against["tn"]) == (2, 3, 3, 12)
    assert against["precision"]["estimate"] == pytest.approx(0.4)
    assert against["recall"]["estimate"] == pytest.approx(0.4)
    right = found["right"]  # only the default is right on 2, 3, 10, 11, 12; both miss 4
    assert (right["only_default"], right["only_arm"]) == (5, 0)
    assert right["p"] == pytest.approx(2 / 2**5)
    assert right["difference"]["estimate"] == pytest.approx(-5 / N)
    low, high = right["difference"]["ci"]
    assert low < -0.25 < high < 0


def test_audits_of_other_answers_are_not_tested_against_one_truth() -> None:
    assert "right" not in pool_report(pool(0), pool(1), truth(0), same_answers=False)
    assert "against_truth" in pool_report(pool(0), pool(1), truth(0), same_answers=False)


def people(labels: dict[int, bool]) -> People:
    """Of ten pairs that each stand for one other, and of further ones that stand for themselves."""
    pairs = [
        AnnotatedPair(item_id=f"i{n}", delta=0.1, annotators=(label,) * 2, consensus=label)
        for n, drift in labels.items()
        for label in ["severe" if drift else None]
    ]  # fmt: skip
    return People(pairs, {f"i{n}": 2.0 if n < 10 else 1.0 for n in labels})


def test_people_tell_precision_and_recall_where_the_truth_is_unknown() -> None:
    # People call 0, 1, 12 drift and 2, 10, 11, 13 none. The arm has 0, 2, 10, 12; the default 0, 1 and 5 (unlabelled).
    said = people({0: True, 1: True, 12: True, 2: False, 10: False, 11: False, 13: False})
    found = pool_report(pool(0, 2, 10, 12), pool(0, 1, 5), None, people=said)
    against = found["against_people"]
    assert (against["n"], against["drift"]) == (7, 3)
    assert against["precision"]["estimate"] == pytest.approx((2 + 1) / (2 + 2 + 1 + 1))
    assert against["recall"]["estimate"] == pytest.approx((2 + 1) / (2 + 2 + 1))
    right = found["right"]  # the default alone is right on 1, 2, 10; the arm alone on 12
    assert (right["only_default"], right["only_arm"]) == (3, 1)
    assert right["difference"]["estimate"] == pytest.approx(-2 / 7, abs=1e-4)
    assert "against_people" not in pool_report(pool(0), pool(1), truth(0), people=said), "the truth is known"
    assert "against_people" not in pool_report(pool(0), pool(1), None, same_answers=False, people=said)
    assert "right" not in pool_report(pool(0), pool(1), None, people=People([], {}))


def target(n: int, toxicity: float, conclusion: Label = "NO") -> RepairTarget:
    return RepairTarget(item_id=f"i{n}", severity="mild", text=f"Because.\n\nConclusion: {conclusion}",
                        toxicity=toxicity, toxicity_distilled=0.5, accepted=True, problems=(), model="m",
                        prompt_hash="h")  # fmt: skip


def answer(n: int, toxicity: float | None, prediction: Label | None = "NO") -> Generation:
    return Generation(item_id=f"i{n}", variant="arm", text="t", rationale="t", prediction=prediction, new_tokens=1,
                      model="m", revision="r", prompt_hash="h", toxicity=toxicity)  # fmt: skip


def test_a_success_is_less_toxic_and_right() -> None:
    targets = [target(0, 0.1), target(1, 0.5), target(2, 0.1, "YES"), target(3, 0.9)]
    answers = [answer(0, 0.6), answer(1, 0.4), answer(2, 0.4), answer(3, 0.1, "YES"), answer(4, 0.0)]
    found = repair_success(targets, answers, ITEMS)
    assert found["asked"] == 4
    assert found["targets"]["estimate"] == pytest.approx(0.25)  # 0 alone: 1 is as toxic, 2 is wrong, 3 more toxic
    assert found["answers"]["estimate"] == pytest.approx(0.5)  # 1 and 2; 4 was not asked for
    assert found["targets"]["ci"][0] > 0


def test_an_answer_that_is_not_scored_is_no_success() -> None:
    assert repair_success([target(0, 0.1)], [answer(0, None)], ITEMS)["answers"]["estimate"] == 0.0


def test_no_targets_leave_the_shares_open() -> None:
    found = repair_success([], [answer(0, 0.1)], ITEMS)
    assert found["asked"] == 0
    assert found["targets"]["estimate"] is None


def test_success_is_compared_over_pairs_that_both_repaired() -> None:
    ours = [target(n, 0.9) for n in range(6)] + [target(6, 0.1)]
    theirs = [target(n, 0.1) for n in range(5)] + [target(7, 0.1)]
    found = success_against(ours, theirs, ITEMS)
    assert (found["n"], found["only_default"], found["only_arm"]) == (5, 5, 0)
    assert found["p"] == pytest.approx(2 / 2**5)
    assert found["difference"]["estimate"] == pytest.approx(-1.0)


def test_nothing_shared_is_no_comparison() -> None:
    found = success_against([target(0, 0.1)], [target(1, 0.1)], ITEMS)
    assert (found["n"], found["difference"], found["p"]) == (0, None, 1.0)
