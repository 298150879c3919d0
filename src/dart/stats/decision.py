"""Decision quality of one set of answers: accuracy, macro-F1, DIFF and EQUAL accuracy, parse and YES rate.

One vectorised function turns (gold, prediction) counts into rates, for the observed table and for any number of
bootstrap tables alike, so an interval can never use another definition than its estimate. Section 3.1 and
Table 2: an unparsed answer is wrong in every rate except those that say "parsed".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dart.core.errors import DataError
from dart.core.records import BENCHMARKS, Generation, Item, Label, Record
from dart.stats.pairing import in_item_order

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

GOLD_INDEX: dict[Label, int] = {"YES": 0, "NO": 1}
PREDICTION_INDEX: dict[Label | None, int] = {"YES": 0, "NO": 1, None: 2}


class Rates(NamedTuple):
    """Rates of one or many (2, 3) count tables; NaN where the denominator is empty. Shapes: counts.shape[:-2]."""

    accuracy: Floats
    accuracy_parsed: Floats
    macro_f1: Floats
    diff_accuracy: Floats
    equal_accuracy: Floats
    parse_rate: Floats
    yes_rate: Floats


class BenchmarkMetrics(Record):
    """One benchmark: `accuracy` counts unparsed answers as wrong, `accuracy_parsed` leaves them out."""

    accuracy: float
    accuracy_parsed: float | None
    n: int
    n_parsed: int


class DecisionMetrics(Record):
    """What metrics/decision.json holds for one student and stage; None where nothing can be counted."""

    n: int
    accuracy: float
    accuracy_parsed: float | None
    macro_f1: float
    equal_accuracy: float | None
    diff_accuracy: float | None
    parse_rate: float
    yes_rate: float | None
    by_benchmark: dict[str, BenchmarkMetrics]


def confusion(items: Sequence[Item], generations: Sequence[Generation]) -> Counts:
    """Counts of shape (2, 3): gold YES, NO by prediction YES, NO, unparsed. The sequences are already paired."""
    table = np.zeros((2, 3), dtype=np.int64)
    gold = [GOLD_INDEX[item.gold] for item in items]
    prediction = [PREDICTION_INDEX[generation.prediction] for generation in generations]
    np.add.at(table, (gold, prediction), 1)
    return table


def _share(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(part / whole, dtype=np.float64)


def rates(counts: NDArray[Any]) -> Rates:
    """Rates of count tables of shape (..., 2, 3)."""
    total = counts.sum(axis=(-2, -1))
    parsed = counts[..., :2].sum(axis=(-2, -1))
    right_yes, right_no = counts[..., 0, 0], counts[..., 1, 1]
    gold_yes, gold_no = counts[..., 0, :].sum(axis=-1), counts[..., 1, :].sum(axis=-1)
    predicted_yes, predicted_no = counts[..., :, 0].sum(axis=-1), counts[..., :, 1].sum(axis=-1)
    # F1 = 2TP / (gold + predicted): an unparsed answer raises `gold` only, so it is a false negative, nothing else.
    f1_yes = np.nan_to_num(_share(2 * right_yes, gold_yes + predicted_yes))
    f1_no = np.nan_to_num(_share(2 * right_no, gold_no + predicted_no))
    return Rates(
        accuracy=_share(right_yes + right_no, total),
        accuracy_parsed=_share(right_yes + right_no, parsed),
        macro_f1=(f1_yes + f1_no) / 2,
        diff_accuracy=_share(right_yes, gold_yes),
        equal_accuracy=_share(right_no, gold_no),
        parse_rate=_share(parsed, total),
        yes_rate=_share(predicted_yes, parsed),
    )


def defined(value: float | Floats) -> float | None:
    """A float for JSON: None where the denominator was empty."""
    return None if np.isnan(value) else float(value)


def decision_metrics(
    items: Sequence[Item], generations: Sequence[Generation], what: str = "answers"
) -> DecisionMetrics:
    """Metrics of one set of answers.

    Raises:
        DataError: no items, or answers and items do not pair one to one (ids are named).
    """
    if not items:
        raise DataError(f"{what}: there are no items to score. Check the suite's sizes in the profile.")
    ordered = in_item_order(items, generations, what)
    result = rates(confusion(items, ordered))
    return DecisionMetrics(
        n=len(items),
        accuracy=float(result.accuracy),
        accuracy_parsed=defined(result.accuracy_parsed),
        macro_f1=float(result.macro_f1),
        equal_accuracy=defined(result.equal_accuracy),
        diff_accuracy=defined(result.diff_accuracy),
        parse_rate=float(result.parse_rate),
        yes_rate=defined(result.yes_rate),
        by_benchmark={name: _benchmark(name, items, ordered) for name in benchmarks_of(items)},
    )


def benchmarks_of(items: Sequence[Item]) -> list[str]:
    """The benchmarks that occur, the paper's first and in its order, others by name."""
    present = {item.benchmark for item in items}
    return [name for name in BENCHMARKS if name in present] + sorted(present - set(BENCHMARKS))


def _benchmark(name: str, items: Sequence[Item], ordered: Sequence[Generation]) -> BenchmarkMetrics:
    pairs = [(item, answer) for item, answer in zip(items, ordered, strict=True) if item.benchmark == name]
    table = confusion([item for item, _ in pairs], [answer for _, answer in pairs])
    result = rates(table)
    return BenchmarkMetrics(
        accuracy=float(result.accuracy),
        accuracy_parsed=defined(result.accuracy_parsed),
        n=len(pairs),
        n_parsed=int(table[:, :2].sum()),
    )
