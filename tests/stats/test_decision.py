"""Rates against scikit-learn and by hand, and pairing that never drops a record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from dart.core.errors import DataError
from dart.core.records import Generation, Item, Label
from dart.stats.decision import decision_metrics, rates
from dart.stats.pairing import in_item_order


def items_of(gold: Sequence[Label], benchmarks: Sequence[str] | None = None) -> list[Item]:
    names = benchmarks or ["D1"] * len(gold)
    return [
        Item(
            id=f"i{index}",
            benchmark=names[index],
            condition="DIFF" if label == "YES" else "EQUAL",
            gold=label,
            prompt="?",
            scenario="s",
        )
        for index, label in enumerate(gold)
    ]


def answers_of(predictions: Sequence[Label | None]) -> list[Generation]:
    return [
        Generation(
            item_id=f"i{index}",
            variant="base",
            text="",
            rationale="",
            prediction=prediction,
            new_tokens=0,
            model="m",
            revision="r",
            prompt_hash="h",
        )
        for index, prediction in enumerate(predictions)
    ]


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gold = [str(label) for label in rng.choice(["YES", "NO"], 60, p=[0.3, 0.7])]
    said = [None if rng.random() < 0.2 else str(rng.choice(["YES", "NO"])) for _ in gold]
    found = decision_metrics(items_of(gold), answers_of(said))
    text = [label or "unparsed" for label in said]
    assert found.accuracy == pytest.approx(accuracy_score(gold, text), rel=1e-12)
    expected = f1_score(gold, text, labels=["YES", "NO"], average="macro", zero_division=0)
    assert found.macro_f1 == pytest.approx(expected, rel=1e-12)
    parsed = [(g, s) for g, s in zip(gold, said, strict=True) if s]
    assert found.accuracy_parsed == pytest.approx(accuracy_score(*zip(*parsed, strict=True)), rel=1e-12)
    assert found.parse_rate == len(parsed) / 60
    assert found.yes_rate == pytest.approx(sum(s == "YES" for _, s in parsed) / len(parsed))


def test_by_hand() -> None:
    items = items_of(["YES", "YES", "NO", "NO", "NO"], ["N1", "D1", "D1", "D1", "N1"])
    found = decision_metrics(items, answers_of(["YES", None, "NO", "YES", None]))
    assert (found.accuracy, found.parse_rate) == (0.4, 0.6)
    assert found.accuracy_parsed == pytest.approx(2 / 3)
    assert (found.diff_accuracy, found.equal_accuracy) == (0.5, pytest.approx(1 / 3))
    # YES: tp 1, fp 1, fn 1 (unparsed); NO: tp 1, fp 0, fn 2 (one unparsed)
    assert found.macro_f1 == pytest.approx((0.5 + 0.5) / 2)
    assert list(found.by_benchmark) == ["D1", "N1"]
    d1 = found.by_benchmark["D1"]
    assert (d1.n, d1.n_parsed, d1.accuracy, d1.accuracy_parsed) == (3, 2, pytest.approx(1 / 3), 0.5)


def test_nothing_parsed_is_undefined_not_zero() -> None:
    found = decision_metrics(items_of(["YES"]), answers_of([None]))
    assert (found.accuracy, found.accuracy_parsed, found.yes_rate, found.equal_accuracy) == (0.0, None, None, None)


def test_rates_are_vectorised() -> None:
    tables = np.random.default_rng(0).integers(0, 9, size=(5, 2, 3))
    together = rates(tables)
    for index, table in enumerate(tables):
        for one, many in zip(rates(table), together, strict=True):
            np.testing.assert_array_equal(one, many[index])


def test_order_of_the_file_does_not_matter() -> None:
    items, answers = items_of(["YES", "NO", "NO"]), answers_of(["YES", "NO", "YES"])
    assert decision_metrics(items, answers[::-1]) == decision_metrics(items, answers)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a[1:], "missing ids: i0"),
        (lambda a: [*a, a[1]], "duplicate ids: i1"),
        (lambda a: [*a[:2], a[2].model_copy(update={"item_id": "x"})], "missing ids: i2; ids that no item has: x"),
    ],
)
def test_unpaired_records_are_named(change: object, message: str) -> None:
    answers = change(answers_of(["YES", "NO", "NO"]))  # type: ignore[operator]
    with pytest.raises(DataError, match=message) as caught:
        in_item_order(items_of(["YES", "NO", "NO"]), answers, "small/base")
    assert str(caught.value).startswith("small/base: ")


def test_no_items_is_an_error() -> None:
    with pytest.raises(DataError, match="no items"):
        decision_metrics([], [])
