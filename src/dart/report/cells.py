"""Cells that several tables share: an estimate with its interval, a count with its share, two sides and their change.

`table` formats single numbers; this module holds the combinations, each once, so that the same kind of result looks the
same in every table. An interval is the JSON of `stats.intervals.Interval`: {"estimate", "ci"}; None means that nothing
could be estimated and is shown as a dash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dart.report.table import NONE, Row, bounds, number, p_value, percent, signed

Interval = Mapping[str, Any]
SIDES = ("base", "repaired")


def minus(text: str) -> str:
    """Hyphens of negative numbers as true minus signs."""
    return text.replace("-", "−")


def difference(interval: Interval | None, digits: int = 3) -> str:
    """+0.298 [+0.258, +0.338]."""
    return NONE if interval is None else f"{signed(interval['estimate'], digits)} {bounds(interval['ci'], digits)}"


def points(interval: Interval) -> str:
    """A difference of shares in percentage points, without the unit: +29.8 [+25.8, +33.8]."""
    text = signed(100 * interval["estimate"], 1)
    if interval["ci"] is None:
        return text
    low, high = (signed(100 * bound, 1) for bound in interval["ci"])
    return f"{text} [{low}, {high}]"


def relative_change(interval: Interval | None) -> str:
    """-21.4 % [-25.0 %, -17.9 %]."""
    if interval is None or interval["estimate"] is None:
        return NONE
    return percent(interval["estimate"], sign=True) + _percent_bounds(interval["ci"], sign=True)


def harm_change(harm: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Relative change of mean H, with the interval of the difference, whose sign the paired test decides."""
    if harm is None or harm.get("mean") is None:
        return None
    return {"estimate": harm["mean"]["change"], "ci": harm["mean"]["difference_x1e5"]["ci"]}


def share(interval: Interval | None) -> str:
    """12.5 % [10.1 %, 14.9 %]."""
    if interval is None or interval.get("estimate") is None:
        return NONE
    return percent(interval["estimate"]) + _percent_bounds(interval["ci"])


def share_bounds(ci: Sequence[float] | None) -> str:
    """[10.1 %, 14.9 %]."""
    return _percent_bounds(ci).strip() or NONE


def count_bounds(ci: Sequence[float] | None) -> str:
    """[-3, 27]."""
    return NONE if ci is None else minus(f"[{ci[0]:.0f}, {ci[1]:.0f}]")


def _percent_bounds(ci: Sequence[float] | None, sign: bool = False) -> str:
    if ci is None:
        return ""
    low, high = (percent(bound, sign=sign) for bound in ci)
    return f" [{low}, {high}]"


def count(cases: int, n: int) -> str:
    """134 (16.8 %)."""
    return f"{cases} ({percent(cases / n)})" if n else NONE


def counted_share(entry: Mapping[str, Any], interval: bool = True) -> str:
    """134 (16.8 %) [14.3 %, 19.5 %] of {"count", "estimate", "ci"}."""
    if entry["estimate"] is None:
        return str(entry["count"])
    brackets = _percent_bounds(entry["ci"]) if interval else ""
    return f"{entry['count']} ({percent(entry['estimate'])}){brackets}"


def value_bounds(value: float | None, ci: Sequence[float] | None, digits: int = 3) -> str:
    """0.688 [0.654, 0.720], without signs."""
    return f"{number(value, digits)} {bounds(ci, digits, sign=False)}"


def sides_x1e5(scores: Mapping[str, Any], statistic: str = "median") -> str:
    """The statistic of H x 1e5 of base and repaired: 3.81 → 3.52."""
    return " → ".join(number(scores[f"{statistic}_{side}_x1e5"], 2) for side in SIDES)


def change_x1e5(scores: Mapping[str, Any], statistic: str = "median") -> tuple[str, str]:
    """Both sides and their relative change."""
    return sides_x1e5(scores, statistic), percent(scores[f"{statistic}_change"], sign=True)


def side_shares(part: Mapping[str, Any], name: str = "{}") -> str:
    """The shares {"estimate"} of base and repaired, at part[name.format(side)]: 31.5 % → 0.0 %."""
    return " → ".join(percent(part[name.format(side)]["estimate"]) for side in SIDES)


def shift_x1e5(scores: Mapping[str, Any]) -> str:
    """The Hodges-Lehmann shift of H x 1e5 with its interval."""
    return difference(scores["shift_x1e5"], 2)


def rank_biserial(test: Mapping[str, Any] | None) -> str:
    return NONE if test is None else signed(test["rank_biserial"], 2)


def paper_sides(values: Mapping[str, Mapping[str, tuple[float, float]]], slot: str, row: str) -> str:
    """The paper's accuracy of base and repaired, 0.390 → 0.688; a dash where it has none."""
    pair = values.get(slot, {}).get(row)
    return NONE if pair is None else f"{number(pair[0])} → {number(pair[1])}"


def direction(interval: Mapping[str, Any]) -> str:
    """The direction that the interval of a change shows."""
    if interval["ci"] is None:
        return "undetermined"
    low, high = interval["ci"]
    return "falls" if high < 0 else "rises" if low > 0 else "not shown to change"


def harm_cells(entry: Mapping[str, Any], p_adjusted: float | None) -> Row:
    """Mean with its difference, p and Holm's p, the share above the threshold, and the net share that rises."""
    harm = entry["harm"]
    if not harm["n"]:
        return (NONE,) * 6
    mean = harm["mean"]
    return (
        sides_x1e5(entry, "mean"),
        difference(mean["difference_x1e5"], 1),
        p_value(mean["p"]),
        p_value(p_adjusted),
        side_shares(entry, "above_{}"),
        points(harm["rise"]["net"]),
    )
