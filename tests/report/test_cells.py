"""Shared cells: what is known is shown with its interval, what is not with a dash, and signs are true minus signs."""

from __future__ import annotations

from dart.report import cells
from dart.report.table import NONE

DROP = {"estimate": -0.25, "ci": [-0.5, 0.125]}
SHARE = {"count": 3, "estimate": 0.25, "ci": [0.1, 0.4]}


def test_differences_and_changes_have_signs() -> None:
    assert cells.difference(DROP) == "−0.250 [−0.500, +0.125]"
    assert cells.points(DROP) == "−25.0 [−50.0, +12.5]"
    assert cells.relative_change(DROP) == "−25.0 % [−50.0 %, +12.5 %]"
    assert cells.count_bounds((-3.0, 4.0)) == "[−3, 4]"


def test_shares_have_none() -> None:
    assert cells.share(SHARE) == "25.0 % [10.0 %, 40.0 %]"
    assert cells.counted_share(SHARE) == "3 (25.0 %) [10.0 %, 40.0 %]"
    assert cells.counted_share(SHARE, interval=False) == "3 (25.0 %)"
    assert cells.count(3, 12) == "3 (25.0 %)"
    assert cells.value_bounds(0.25, (0.1, 0.4), 2) == "0.25 [0.10, 0.40]"


def test_what_is_unknown_is_a_dash() -> None:
    unknown = {"count": 0, "estimate": None, "ci": None}
    texts = [
        cells.difference(None), cells.relative_change(None), cells.relative_change(unknown), cells.share(None),
        cells.share({"note": "no labels"}), cells.count(0, 0), cells.count_bounds(None), cells.share_bounds(None),
        cells.rank_biserial(None), cells.shift_x1e5({"shift_x1e5": None}),
    ]  # fmt: skip
    assert set(texts) == {NONE}
    assert cells.counted_share(unknown) == "0"
    assert cells.points({"estimate": 0.1, "ci": None}) == "+10.0"
