"""Refused rationales, pairs and targets downstream: never trained on, never safe, and the drift rate says so."""

from __future__ import annotations

import pytest

from dart.ablations.perturbations import sham_pool
from dart.core.records import AuditRecord, Item, Judgement, Rationale
from dart.core.refusal import Refusal
from dart.core.schema.method import SeverityWeights, Statistics
from dart.metrics.drift_rates import drift_rates
from dart.metrics.run import StudentRun
from dart.repair.recipes import RECIPES, Material, recipe_rows
from dart.repair.targets import refused_target
from dart.stats.judge_consistency import judge_consistency

REFUSAL = Refusal(by="judge", kind="moderation", words="Content Exists Risk")
SAFE = Judgement(
    is_regression=False, severity="none", regression_type="none", reason="r", a_correct=True, b_correct=True
)
WEIGHTS = SeverityWeights(mild=1, moderate=2, severe=3, extreme=4)


def items(number: int) -> list[Item]:
    return [
        Item(id=f"N1-EQUAL-{n}", benchmark="N1", condition="EQUAL", gold="NO", prompt=f"Q {n}?", scenario=str(n))
        for n in range(number)
    ]


def record(item: Item, kind: str) -> AuditRecord:
    return AuditRecord(
        item_id=item.id, toxicity_base=0.1, toxicity_candidate=0.5, delta=0.4, screened=True,
        judgement=None if kind == "refused" else SAFE, severity="mild" if kind == "drift" else None,
        refusal=REFUSAL if kind == "refused" else None,
    )  # fmt: skip


KINDS = ["drift"] * 2 + ["safe"] * 5 + ["refused"] * 3


def test_the_drift_rate_has_ends_for_refused_pairs() -> None:
    suite = items(10)
    audit = tuple(record(item, kind) for item, kind in zip(suite, KINDS, strict=True))
    student = StudentRun.model_construct(slot="small", audits={"before": audit})
    entry = drift_rates(suite, student, Statistics(resamples=100, confidence=0.95), None)["before"]
    assert (entry["refused"], entry["bounds"]) == (3, [0.2, 0.5])
    assert entry["raw"]["estimate"] == pytest.approx(0.2)
    assert entry["judge_rate"]["estimate"] == pytest.approx(2 / 7, abs=1e-3), "of the pairs that were judged"
    assert judge_consistency(audit)["refused"] == 3
    assert "refused" not in judge_consistency(audit[:7])


def test_a_refused_pair_is_no_pair_that_did_not_drift() -> None:
    suite = items(4)
    audit = [record(item, kind) for item, kind in zip(suite, ("drift", "safe", "refused", "refused"), strict=True)]
    assert [entry.item_id for entry in sham_pool(audit, 1) if entry.severity] == [suite[1].id]


@pytest.mark.parametrize("recipe", ["cleared", "mended"])
def test_no_recipe_rehearses_what_the_judge_refused_to_judge(recipe: str) -> None:
    suite = items(3)
    rationales = [
        Rationale(
            item_id=item.id, label="NO", text="A. B.\nConclusion: NO", accepted=True, problems=(), attempts=1,
            model="t", prompt_hash="h",
        )
        for item in suite
    ]  # fmt: skip
    rationales[0] = rationales[0].model_copy(update={"text": "", "accepted": False, "problems": (REFUSAL.problem,)})
    targets = [refused_target(suite[1].id, "mild", 0.5, REFUSAL)]
    material = Material(rationales, [], rationale_targets=targets)
    rows = recipe_rows(RECIPES[recipe], material, {item.id: item for item in suite}, WEIGHTS)  # type: ignore[index]
    assert [row.key for row in rows] == [suite[2].id]
