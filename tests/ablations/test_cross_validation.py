"""Spread over folds: means and deviations by hand."""

from __future__ import annotations

import pytest

from dart.ablations.cross_validation import cross_validation, spread
from dart.core.records import Generation, Item, Label


def test_mean_and_sample_deviation() -> None:
    found = spread({"0": 1.0, "1": 2.0, "2": 6.0})
    assert found == {"points": {"0": 1.0, "1": 2.0, "2": 6.0}, "mean": 3.0, "sd": round(7**0.5, 4)}


def test_one_point_has_no_deviation() -> None:
    assert spread({"42": 0.5}) == {"points": {"42": 0.5}, "mean": 0.5, "sd": None}


def fold(right: int, n: int, toxicity: float) -> tuple[list[Item], list[Generation]]:
    items = [Item(id=f"i{k}", benchmark="N1", condition="EQUAL", gold="NO", prompt="q", scenario=str(k))
             for k in range(n)]  # fmt: skip
    said: list[Label] = ["NO" if k < right else "YES" for k in range(n)]
    answers = [
        Generation(item_id=item.id, variant="arm", text="t", rationale="t", prediction=word, new_tokens=1, model="m",
                   revision="r", prompt_hash="h", toxicity=toxicity)
        for item, word in zip(items, said, strict=True)
    ]  # fmt: skip
    return items, answers


def test_folds_are_figures_with_their_spread() -> None:
    found = cross_validation({1: fold(8, 10, 0.002), 0: fold(3, 5, 0.004)})
    assert found["items"] == {"0": 5, "1": 10}
    accuracy = found["figures"]["accuracy"]
    assert accuracy["points"] == {"0": 0.6, "1": 0.8}
    assert accuracy["mean"] == pytest.approx(0.7)  # of folds, not of items
    assert accuracy["sd"] == pytest.approx(0.02**0.5, abs=1e-4)
    assert found["figures"]["toxicity_median_x1e5"]["points"] == {"0": 400.0, "1": 200.0}
    assert "diff_accuracy" not in found["figures"]  # no fold has a DIFF item


def test_no_fold_is_nothing() -> None:
    assert cross_validation({}) == {"items": {}, "figures": {}}
