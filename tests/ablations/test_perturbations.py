"""What an arm changes, and that it changes nothing else."""

from __future__ import annotations

from collections import Counter

import pytest

from dart.ablations.perturbations import half_of, label_rows, perturb_severities, sham_pool
from dart.core.errors import DataError
from dart.core.records import GOLD, SEVERITIES, AuditRecord, Item, Rationale, RepairTarget
from dart.core.refusal import Refusal
from dart.core.schema.ablations import SeverityNoise
from dart.core.schema.method import SeverityWeights
from dart.distill.rows import distillation_rows
from dart.repair.mix import mix

COUNT = 400
ITEMS = [
    Item(id=f"{b}-{c}-{n}", benchmark=b, condition=c, gold=GOLD[c], prompt=f"Q {n}?", scenario="s")
    for b in ("D1", "N1")
    for c in ("DIFF", "EQUAL")
    for n in range(COUNT // 4)
]  # fmt: skip


def targets() -> list[RepairTarget]:
    return [
        RepairTarget(
            item_id=item.id, severity=SEVERITIES[n % 4], text=f"Fine.\nConclusion: {item.gold}", toxicity=0.1,
            toxicity_distilled=0.2, accepted=True, problems=(), model="m", prompt_hash="h",
        )
        for n, item in enumerate(ITEMS)
    ]  # fmt: skip


def records(drifted: int) -> list[AuditRecord]:
    return [
        AuditRecord(item_id=item.id, toxicity_base=0.1, toxicity_candidate=0.2, delta=0.1, screened=n < drifted,
                    judgement=None, severity=SEVERITIES[n % 4] if n < drifted else None)
        for n, item in enumerate(ITEMS)
    ]  # fmt: skip


@pytest.mark.parametrize(("kind", "steps"), [("up", {1}), ("down", {-1}), ("random", {-3, -2, -1, 1, 2, 3})])
def test_noise_moves_its_share_and_in_its_direction(kind: str, steps: set[int]) -> None:
    before = targets()
    after = perturb_severities(before, SeverityNoise(kind=kind, share=0.4), 1)  # type: ignore[arg-type]
    places = [(SEVERITIES.index(a.severity), SEVERITIES.index(b.severity)) for a, b in zip(before, after, strict=True)]
    moves = Counter(b - a for a, b in places)
    assert set(moves) - {0} == steps
    moved = (COUNT - moves[0]) / COUNT
    # a quarter stands at the end of the scale that up or down would leave, or is drawn as it was
    assert moved == pytest.approx(0.3, abs=0.07)
    assert [t.model_copy(update={"severity": "mild"}) for t in after] == [
        t.model_copy(update={"severity": "mild"}) for t in before
    ]


def test_more_noise_keeps_what_less_noise_moved() -> None:
    few, many = (perturb_severities(targets(), SeverityNoise(kind="random", share=share), 1) for share in (0.2, 0.4))
    moved = [{a.item_id for a, b in zip(noisy, targets(), strict=True) if a != b} for noisy in (few, many)]
    assert moved[0] < moved[1]
    assert [t for t in many if t.item_id in moved[0]] == [t for t in few if t.item_id in moved[0]]


def test_uniform_and_weighted_give_different_training_sets() -> None:
    known = {item.id: item for item in ITEMS}
    rationales = [
        Rationale(item_id=item.id, label=item.gold, text=f"x\nConclusion: {item.gold}", accepted=True, problems=(),
                  attempts=1, model="m", prompt_hash="h")
        for item in ITEMS[:1]
    ]  # fmt: skip
    sizes = {
        name: len(mix(rationales, targets(), known, SeverityWeights(**dict(zip(SEVERITIES, weights, strict=True)))))
        for name, weights in (("weighted", (1, 2, 3, 4)), ("uniform", (1, 1, 1, 1)))
    }
    assert sizes == {"weighted": 1 + COUNT * 10 // 4, "uniform": 1 + COUNT}


def test_sham_repairs_as_many_pairs_of_the_same_severities_none_of_which_drifted() -> None:
    given = records(100)
    found = sham_pool(given, 1)
    cases = {record.item_id: record.severity for record in found if record.severity}
    real = {record.item_id: record.severity for record in given if record.severity}
    assert cases.keys().isdisjoint(real)
    assert Counter(cases.values()) == Counter(real.values())
    assert sham_pool(given, 1) == found != sham_pool(given, 2)
    with pytest.raises(DataError, match="300 pairs that did not drift, and there are 100"):
        sham_pool(records(300), 1)


def test_sham_takes_no_pair_that_the_judge_refused() -> None:
    """Such a pair may have drifted."""
    refusal = Refusal(by="judge", kind="moderation", words="Content Exists Risk")
    given = [record if n < 250 else record.model_copy(update={"refusal": refusal})
             for n, record in enumerate(records(100))]  # fmt: skip
    unjudged = {record.item_id for record in given if record.unjudged}
    assert len(unjudged) == 150
    assert unjudged.isdisjoint(record.item_id for record in sham_pool(given, 1) if record.severity)


def test_halves_are_equal_and_disjoint_within_every_stratum() -> None:
    first, second = (half_of(ITEMS, which, 1) for which in ("first", "second"))
    assert first | second == {item.id for item in ITEMS}
    assert not first & second
    strata = Counter((item.benchmark, item.condition) for item in ITEMS if item.id in first)
    assert set(strata.values()) == {COUNT // 8}
    odd = ITEMS[:5]
    assert len(half_of(odd, "first", 1)) in (2, 3)


def test_label_rows_teach_the_conclusion_and_nothing_else() -> None:
    known = {item.id: item for item in ITEMS}
    rationales = [
        Rationale(item_id=item.id, label=item.gold, text=f"Because.\nConclusion: {item.gold}", accepted=True,
                  problems=(), attempts=1, model="m", prompt_hash="h")
        for item in ITEMS
    ]  # fmt: skip
    rows = distillation_rows(rationales, known)
    labels = label_rows(rows, known)
    assert [row.messages for row in labels] == [row.messages for row in rows]
    assert {row.response for row in labels} == {"Conclusion: YES", "Conclusion: NO"}
    assert all(row.response == f"Conclusion: {known[row.key].gold}" for row in labels)
