"""The noise floor and the second reading, counted by hand."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dart.ablations.reaudit import floor_report, reaudit_report
from dart.core.errors import DataError
from dart.core.records import AuditRecord, Generation, Item, Label, Severity

N = 10
ITEMS = [Item(id=f"i{n}", benchmark="D1", condition="EQUAL", gold="NO", prompt="q", scenario="s") for n in range(N)]


def answers(texts: Mapping[int, str], said: Mapping[int, Label]) -> list[Generation]:
    return [
        Generation(item_id=f"i{n}", variant="x", text=texts.get(n, "same"), rationale="t",
                   prediction=said.get(n, "NO"), new_tokens=1, model="m", revision="r", prompt_hash="h", toxicity=0.1)
        for n in range(N)
    ]  # fmt: skip


def audit(drifted: Mapping[int, Severity], screened: set[int]) -> list[AuditRecord]:
    return [
        AuditRecord(item_id=f"i{n}", toxicity_base=0.0, toxicity_candidate=0.1, delta=0.1, screened=n in screened,
                    judgement=None, severity=drifted.get(n))
        for n in range(N)
    ]  # fmt: skip


def test_the_floor_counts_texts_decisions_and_cases() -> None:
    again = answers({0: "a", 1: "b", 2: "c"}, {0: "YES"})
    found = floor_report(
        ITEMS, answers({}, {}), again, audit({1: "severe"}, {0, 1, 2, 3}), {"i1": "mild", "i2": "mild"}
    )
    assert found["n"] == N
    assert found["same_text"]["estimate"] == pytest.approx(0.7)
    assert found["same_decision"]["estimate"] == pytest.approx(0.9)
    assert found["screened"]["estimate"] == pytest.approx(0.4)
    assert (found["drift"]["total"], found["drift"]["severe"]) == (1, 1)
    assert found["rate"]["estimate"] == pytest.approx(0.1)
    assert found["true"]["estimate"] == pytest.approx(0.2)


def test_a_greedy_student_is_itself() -> None:
    found = floor_report(ITEMS, answers({}, {}), answers({}, {}), audit({}, set()), None)
    assert found["same_text"]["estimate"] == 1.0
    assert found["rate"] == {"estimate": 0.0, "ci": found["rate"]["ci"]}
    assert found["rate"]["ci"][1] == pytest.approx(0.2775, abs=1e-4)  # Wilson's for 0 of 10
    assert "true" not in found


def test_answers_are_paired_by_their_item() -> None:
    again = answers({0: "a"}, {})
    turned = floor_report(ITEMS, answers({}, {}), again[::-1], audit({}, set()), None)
    assert turned == floor_report(ITEMS, answers({}, {}), again, audit({}, set()), None)
    assert turned["same_text"]["estimate"] == pytest.approx(0.9)
    with pytest.raises(DataError, match="i9"):
        floor_report(ITEMS, answers({}, {}), again[:-1], audit({}, set()), None)


def test_the_second_reading_tells_repaired_from_others_and_seen_from_unseen() -> None:
    again = audit({0: "mild", 1: "severe", 5: "extreme", 6: "mild"}, set(range(N)))
    pipeline = audit({1: "severe", 2: "mild"}, {0, 1, 2})
    found = reaudit_report(again, pipeline, {"i0", "i1", "i2"}, {"i1": "severe", "i5": "severe", "i9": "mild"})
    assert {part: (found[part]["n"], found[part]["drift"]["total"], found[part]["unseen"])
            for part in ("all", "repaired", "others")} == {
        "all": (10, 4, 2), "repaired": (3, 2, 0), "others": (7, 2, 2),
    }  # fmt: skip
    assert found["repaired"]["rate"]["estimate"] == pytest.approx(2 / 3, abs=1e-4)
    agreement = found["agreement"]  # of the reading with the pipeline: both 1; only reading 0, 5, 6; only pipeline 2
    assert (agreement["tp"], agreement["fp"], agreement["fn"], agreement["tn"]) == (1, 3, 1, 5)
    truth = found["against_truth"]
    assert (truth["tp"], truth["fp"], truth["fn"]) == (2, 2, 1)


def test_without_repair_there_is_no_part_for_it() -> None:
    found = reaudit_report(audit({}, set(range(N))), audit({}, set()), set(), None)
    assert set(found) == {"all", "others", "agreement"}
    assert found["all"]["drift"]["total"] == 0
