"""Two sets of answers to the same items, compared in one structure: rates, paired intervals, McNemar, effect sizes.

Table 2 and Appendix J need it for the stages of one run; the same structure compares any two runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dart.core.errors import DataError
from dart.core.records import Generation, Item
from dart.core.schema.method import Statistics
from dart.core.seeds import seed_for
from dart.stats.bootstrap import joint_counts, rate_differences
from dart.stats.cluster import cluster_robust, correctness_differences, scenarios
from dart.stats.decision import defined, rates
from dart.stats.paired import accuracy_difference, cohens_g, discordant, mcnemar
from dart.stats.pairing import in_item_order
from dart.stats.power import detectable_difference


def significant(value: float, digits: int = 6) -> float:
    """`value` rounded to `digits` significant digits: p-values keep their size in the file."""
    return float(f"{value:.{digits}g}")


def compare(
    items: Sequence[Item],
    base: Sequence[Generation],
    other: Sequence[Generation],
    statistics: Statistics,
    seed: int,
    what: str = "comparison",
) -> dict[str, Any]:
    """JSON of one comparison; unparsed answers are wrong, `parsed` repeats McNemar on pairs that parse on both sides.

    {n, <rate>_base, <rate>_other, <rate>_difference: {estimate, ci, ci_bca}, mcnemar, cohens_g,
    minimum_detectable_difference, accuracy_difference_by_scenario, parsed: {n, mcnemar, ...}}. `ci` is the percentile
    interval. The minimum detectable difference has 80 % power at the 5 % level, given the discordance share; None if
    no difference would have.
    """
    if not items:
        raise DataError(f"{what}: there are no items to compare.")
    first, second = in_item_order(items, base, f"{what}, base"), in_item_order(items, other, f"{what}, other")
    joint = joint_counts(items, first, second)
    resampling = seed_for(seed, "bootstrap", what)
    differences = rate_differences(joint, statistics, resampling)
    corrected = rate_differences(joint, statistics, resampling, method="bca")
    before, after = rates(joint.sum(axis=-1)), rates(joint.sum(axis=-2))
    result: dict[str, Any] = {"n": len(items), "parsed": _discordance(joint, parsed_only=True)}
    result.update(_discordance(joint, parsed_only=False))
    for name, interval in differences.items():
        start, end = defined(getattr(before, name)), defined(getattr(after, name))
        result[f"{name}_base"] = None if start is None else round(start, 6)
        result[f"{name}_other"] = None if end is None else round(end, 6)
        result[f"{name}_difference"] = interval.json() | {"ci_bca": corrected[name].json()["ci"]}
    by_item = correctness_differences(items, first, second)
    clustered = cluster_robust(by_item, scenarios(items), statistics, seed_for(seed, "clusters", what))
    result["accuracy_difference_by_scenario"] = clustered.json()
    return result


def _discordance(joint: Any, parsed_only: bool) -> dict[str, Any]:
    b, c, n = discordant(joint, parsed_only)
    test, g = mcnemar(b, c), cohens_g(b, c)
    detectable = None if n == 0 else detectable_difference(n, (b + c) / n)
    return {
        "n": n,
        "mcnemar": {
            "b": b,
            "c": c,
            "p_exact": significant(test.p_exact),
            "p_chi2": significant(test.p_chi2),
            "p_chi2_corrected": significant(test.p_chi2_corrected),
        },
        "cohens_g": None if g is None else round(g, 6),
        "minimum_detectable_difference": None if detectable is None else round(detectable, 6),
        "accuracy_difference_paper_g": None if n == 0 else round(abs(accuracy_difference(b, c, n)), 6),
    }
