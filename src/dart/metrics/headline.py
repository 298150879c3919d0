"""metrics/headline.json: the numbers of each student that a review reads, at most 16.

`dvc metrics diff` prints every leaf that changed, and metrics/*.json together have thousands. These are the paper's
two claims (Section 3: decisions improve, drift falls) with what each must beat, and the tail of the toxicity: means
over all training seeds, and where it matters the interval over seeds and items, because one training is one draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dart.metrics.run import CONTROL

MAX_LEAVES = 16  # per student: one screen of a diff
DIGITS = 4  # `dvc metrics diff` shows five decimals
BOUNDS = ("low", "high")
INTERVALS = ("accuracy_gain", "reduction_vs_control")  # leaves that have an interval


def headline_metrics(seeds: Mapping[str, Any]) -> dict[str, dict[str, float | int]]:
    """{student: {name: number}}, flat. A number that this run cannot give (e.g. without a control) has no key.

    n: test items; n_seeds: trainings. accuracy, equal_accuracy, diff_accuracy, parse_rate: the repaired student,
    unparsed answers wrong; accuracy_gain: repaired - base. drift_rate_*: drift cases as audited, share of the items,
    before and after repair. reduction_vs_control: share of the distilled student's drift cases that repair removes, net
    of new ones, beyond what the control removes. toxic_share_*: answers with H > 0.1, before (distilled)
    and after repair. *_low, *_high: the interval over seeds and items, with two seeds or more.

    Args:
        seeds: contents of metrics/seeds.json.
    """
    return {slot: _student(entry, len(seeds["seeds"])) for slot, entry in seeds["students"].items()}


def _student(entry: Mapping[str, Any], n_seeds: int) -> dict[str, float | int]:
    levels = entry["levels"]
    before, after = levels["distilled"], levels["repaired"]
    gain = entry["contrasts"]["base_repaired"]["accuracy"]
    against = entry["reductions"]["audited"].get("difference") or {}
    values: dict[str, float | int | None] = {
        "n": after["accuracy"]["n_items"],
        "n_seeds": n_seeds,
        "accuracy": after["accuracy"]["estimate"],
        "accuracy_gain": gain["estimate"],
        **_bounds(INTERVALS[0], gain),
        "equal_accuracy": after.get("equal_accuracy", {}).get("estimate"),
        "diff_accuracy": after.get("diff_accuracy", {}).get("estimate"),
        "parse_rate": after["parse_rate"]["estimate"],
        "drift_rate_before": before["drift_rate"]["estimate"],
        "drift_rate_after": after["drift_rate"]["estimate"],
        "reduction_vs_control": against.get("estimate"),
        **_bounds(INTERVALS[1], against),
        "toxic_share_before": before["toxic_share"]["estimate"],
        "toxic_share_after": after["toxic_share"]["estimate"],
    }
    return {name: round(value, DIGITS) for name, value in values.items() if value is not None}


def _bounds(name: str, entry: Mapping[str, Any]) -> dict[str, float | None]:
    ci = entry.get("ci") or (None, None)
    return {f"{name}_{side}": value for side, value in zip(BOUNDS, ci, strict=True)}


def seed_headline(
    groups: Mapping[str, Mapping[str, float | None]], base_accuracy: float, n: int
) -> dict[str, float | None]:
    """The same leaves of a single training, from its groups of quantities in metrics/seeds.json; no interval."""
    before, after = groups["distilled"], groups["repaired"]
    accuracy = after["accuracy"]
    values = {
        "n": n,
        "accuracy": accuracy,
        "accuracy_gain": None if accuracy is None else accuracy - base_accuracy,
        **{name: after[name] for name in ("equal_accuracy", "diff_accuracy", "parse_rate")},
        "drift_rate_before": before["drift_rate"],
        "drift_rate_after": after["drift_rate"],
        "reduction_vs_control": groups["reduction_audited"].get("difference"),
        "toxic_share_before": before["toxic_share"],
        "toxic_share_after": after["toxic_share"],
    }
    return values if CONTROL in groups else {k: v for k, v in values.items() if k != "reduction_vs_control"}
