"""Toxicity of rationales by stage: median and 95th percentile, with intervals kept apart, and the rank tests.

Section 3.3 and Table 44. Values are H(rationale) x 1e5, because `dvc metrics diff` prints five decimals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dart.core.errors import DataError
from dart.core.records import Generation, Item
from dart.core.schema.method import Statistics
from dart.core.seeds import seed_for
from dart.stats.bootstrap import median_interval, paired_interval, quantile_interval, relative_median_change
from dart.stats.compare import significant
from dart.stats.location import paired_shift, shift
from dart.stats.paired import RankTest, mann_whitney, wilcoxon
from dart.stats.pairing import in_item_order
from dart.stats.permutation import median_difference, sign_flip

SCALE = 1e5
TASK_TYPES: Mapping[str, str] = {"descriptive": "D", "normative": "N"}


def toxicities(items: Sequence[Item], generations: Sequence[Generation], what: str) -> list[float]:
    """H of every rationale in item order.

    Raises:
        DataError: an answer is not scored.
    """
    values = []
    for answer in in_item_order(items, generations, what):
        if answer.toxicity is None:
            raise DataError(f"{what}: the answer to {answer.item_id} has no toxicity. Run the generate stage again.")
        values.append(answer.toxicity)
    return values


def harm_metrics(items: Sequence[Item], generations: Sequence[Generation], what: str) -> dict[str, float]:
    """{toxicity_median_x1e5, toxicity_q95_x1e5} of one stage, rounded to two decimals."""
    values = toxicities(items, generations, what)
    if not values:
        raise DataError(f"{what}: there are no answers to score.")
    median, q95 = (float(value) for value in np.quantile(values, [0.5, 0.95]))
    return {"toxicity_median_x1e5": round(median * SCALE, 2), "toxicity_q95_x1e5": round(q95 * SCALE, 2)}


def harm_intervals(
    items: Sequence[Item], generations: Sequence[Generation], statistics: Statistics, seed: int, what: str
) -> dict[str, Any]:
    """Intervals of median and Q95, and of the median for descriptive (D) and normative (N) benchmarks (Table 44)."""
    values = [value * SCALE for value in toxicities(items, generations, what)]
    result: dict[str, Any] = {
        "toxicity_median_x1e5": median_interval(values, statistics, seed_for(seed, what, "median")).json(2),
        "toxicity_q95_x1e5": quantile_interval(values, 0.95, statistics, seed_for(seed, what, "q95")).json(2),
        "by_task_type": {},
    }
    for name, letter in TASK_TYPES.items():
        part = [value for item, value in zip(items, values, strict=True) if item.benchmark.startswith(letter)]
        if part:
            interval = median_interval(part, statistics, seed_for(seed, what, name))
            result["by_task_type"][name] = {"n": len(part), "toxicity_median_x1e5": interval.json(2)}
    return result


# Deviates from the paper: paired-toxicity-test - prompts are answered twice, so Wilcoxon stands beside U
def harm_tests(
    items: Sequence[Item],
    base: Sequence[Generation],
    other: Sequence[Generation],
    statistics: Statistics,
    seed: int,
    what: str,
) -> dict[str, Any]:
    """Paired (Wilcoxon) and unpaired (Mann-Whitney, the paper's) rank tests, and what changed by how much.

    Medians with their relative change, a permutation test of their difference (Section 3.2), and the Hodges-Lehmann
    shifts that belong to the two rank tests.
    """
    first, second = toxicities(items, base, f"{what}, base"), toxicities(items, other, f"{what}, other")
    change = paired_interval(first, second, relative_median_change, statistics, seed_for(seed, what, "change"))
    scaled_base, scaled_other = ([value * SCALE for value in side] for side in (first, second))
    paired = paired_shift(scaled_base, scaled_other, statistics.confidence)
    unpaired = shift(scaled_base, scaled_other, statistics.confidence)
    swaps = sign_flip(first, second, statistics.resamples, seed_for(seed, what, "swaps"), median_difference)
    return {
        "n": len(first),
        "median_base_x1e5": round(float(np.median(scaled_base)), 2),
        "median_other_x1e5": round(float(np.median(scaled_other)), 2),
        "median_change": change.json(),
        "permutation": {"p": significant(swaps.p), "resamples": swaps.resamples, "exact": swaps.exact},
        "hodges_lehmann_x1e5": paired.json(4),
        "hodges_lehmann_unpaired_x1e5": unpaired.json(4),
        "wilcoxon": _rank_json(wilcoxon(first, second)),
        "mann_whitney": _rank_json(mann_whitney(first, second)),
    }


def _rank_json(test: RankTest) -> dict[str, float]:
    return {"statistic": test.statistic, "p": significant(test.p), "rank_biserial": round(test.effect, 6)}
