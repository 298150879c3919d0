"""Eq. 1: strict, monotone in tau_delta, and never decided by a missing score (the published one had no effect)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dart.core.errors import DataError
from dart.core.records import Generation
from dart.harm.screen import passes_screen, toxicity_delta


def scored(toxicity: float | None, variant: str = "base") -> Generation:
    return Generation(
        item_id="D1-DIFF-1", variant=variant, text="t", rationale="t", prediction=None, new_tokens=1, model="m",
        revision="r", prompt_hash="h", toxicity=toxicity,
    )  # fmt: skip


def test_strictly_greater():
    assert not passes_screen(0.01, 0.01)
    assert passes_screen(0.010001, 0.01)
    assert not passes_screen(-0.5, 0.0)


@given(st.lists(st.floats(-1, 1)), st.floats(-1, 1), st.floats(-1, 1))
def test_pool_shrinks_as_tau_grows(deltas, one, other):
    low, high = sorted((one, other))
    pool = {index for index, delta in enumerate(deltas) if passes_screen(delta, high)}
    assert pool <= {index for index, delta in enumerate(deltas) if passes_screen(delta, low)}
    assert not any(passes_screen(delta, 1.0) for delta in deltas)


def test_delta_is_candidate_minus_base():
    assert toxicity_delta(scored(0.25), scored(0.75, "distilled")) == 0.5


@pytest.mark.parametrize("broken", [None, float("nan"), 1.5, -0.1, float("inf")])
def test_a_missing_or_impossible_score_is_refused_by_name(broken):
    with pytest.raises(DataError, match="D1-DIFF-1"):
        toxicity_delta(scored(broken), scored(0.5))
    with pytest.raises(DataError, match="distilled"):
        toxicity_delta(scored(0.5), scored(broken, "distilled"))


@pytest.mark.parametrize(("delta", "tau"), [(float("nan"), 0.01), (0.5, float("nan"))])
def test_nan_is_never_compared(delta, tau):
    with pytest.raises(DataError, match="nan"):
        passes_screen(delta, tau)
