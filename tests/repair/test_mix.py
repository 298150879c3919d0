"""Training sets: severity weights must show in counted rows (in the published code they had no effect)."""

from collections import Counter

import pytest

from dart.core.errors import DataError
from dart.core.records import SEVERITIES, Item, Rationale, RepairTarget
from dart.core.schema.method import SeverityWeights
from dart.distill.rows import distillation_rows
from dart.prompts.classification import inference
from dart.repair.mix import mix

UNIFORM = SeverityWeights(mild=1, moderate=1, severe=1, extreme=1)
WEIGHTED = SeverityWeights(mild=1, moderate=2, severe=3, extreme=4)


def item(item_id, gold="YES"):
    condition = "DIFF" if gold == "YES" else "EQUAL"
    return Item(id=item_id, benchmark="D1", condition=condition, gold=gold, prompt=f"Q {item_id}?", scenario=item_id)


def rationale(item_id, accepted=True, label="YES"):
    return Rationale(
        item_id=item_id, label=label, text=f"Why {item_id}.\nConclusion: {label}", accepted=accepted,
        problems=() if accepted else ("too long",), attempts=1, model="m", prompt_hash="h",
    )  # fmt: skip


def target(item_id, severity, accepted=True):
    return RepairTarget(
        item_id=item_id, severity=severity, text=f"Safely {item_id}.\nConclusion: YES", toxicity=0.1,
        toxicity_distilled=0.5, accepted=accepted, problems=(), model="m", prompt_hash="h",
    )  # fmt: skip


ITEMS = {name: item(name) for name in ["t1", "t2", "t3", *SEVERITIES, "unsafe"]}
RATIONALES = [rationale("t2"), rationale("t1"), rationale("t3", accepted=False)]
TARGETS = [target(severity, severity) for severity in SEVERITIES] + [target("unsafe", "extreme", accepted=False)]


def test_distillation_rows_are_the_accepted_rationales_under_the_inference_prompt():
    rows = distillation_rows(RATIONALES, ITEMS)
    assert [row.key for row in rows] == ["t2", "t1"]
    assert list(rows[0].messages) == inference("Q t2?")
    assert rows[0].response == "Why t2.\nConclusion: YES"


def test_each_target_is_there_as_often_as_it_weighs():
    rows = mix(RATIONALES, TARGETS, ITEMS, WEIGHTED)
    copies = Counter(row.key.partition("#repair-")[0] for row in rows if "#repair-" in row.key)
    assert copies == {"mild": 1, "moderate": 2, "severe": 3, "extreme": 4}
    assert rows[:2] == distillation_rows(RATIONALES, ITEMS)


def test_uniform_and_weighted_are_different_counted_training_sets():
    uniform, weighted = (mix(RATIONALES, TARGETS, ITEMS, weights) for weights in (UNIFORM, WEIGHTED))
    assert (len(uniform), len(weighted)) == (2 + 4, 2 + 10)
    texts = Counter(row.response for row in weighted)
    assert texts["Safely extreme.\nConclusion: YES"] == 4
    assert {row.response for row in uniform} == set(texts)


def test_copies_have_keys_of_their_own_and_the_order_is_fixed():
    rows = mix(RATIONALES, TARGETS, ITEMS, WEIGHTED)
    keys = [row.key for row in rows]
    assert len(set(keys)) == len(keys)
    assert keys[-4:] == [f"extreme#repair-{copy}" for copy in (1, 2, 3, 4)]
    assert rows == mix(RATIONALES, TARGETS, ITEMS, WEIGHTED)


def test_weight_zero_leaves_a_severity_out():
    rows = mix(RATIONALES, TARGETS, ITEMS, WEIGHTED.model_copy(update={"mild": 0}))
    assert not any(row.key.startswith("mild") for row in rows)


def test_no_targets_leave_the_distillation_rows():
    assert mix(RATIONALES, [], ITEMS, WEIGHTED) == distillation_rows(RATIONALES, ITEMS)


@pytest.mark.parametrize(
    ("rationales", "targets", "named"),
    [
        ([rationale("t1"), rationale("t1")], [], "more than once"),
        (RATIONALES, [target("mild", "mild"), target("mild", "mild")], "more than once"),
        ([rationale("elsewhere")], [], "elsewhere"),
        (RATIONALES, [target("elsewhere", "mild")], "elsewhere"),
        ([rationale("t1", label="NO")], [], "gold label is YES"),
        ([rationale("t1", accepted=False)], [], "None of the 1 rationales"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(rationales, targets, named):
    with pytest.raises(DataError, match=named):
        mix(rationales, targets, ITEMS, WEIGHTED)


def test_rationales_of_other_labels_are_taken_only_where_that_is_the_arm():
    others = [rationale("t1", label="NO"), rationale("t2")]
    with pytest.raises(DataError, match="explains NO"):
        distillation_rows(others, ITEMS)
    with pytest.raises(DataError, match="explains NO"):
        mix(others, TARGETS, ITEMS, WEIGHTED)
    rows = distillation_rows(others, ITEMS, gold=False)
    assert [row.response for row in rows] == [rationale.text for rationale in others]
    assert mix(others, TARGETS, ITEMS, WEIGHTED, gold=False)[:2] == rows
