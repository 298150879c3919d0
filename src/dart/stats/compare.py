"""Two sets of answers to the same items, compared in one structure: rates, paired intervals, McNemar, effect sizes.

Table 2 and Appendix J need it for the stages of one run; the same structure compares any two runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dart.core.errors import DataError
from dart.core.records import Generation, Item
from dart.core.schema.method import Statistics
from dart.core.seeds import seed_for
from dart.stats.bootstrap import joint_counts, rate_differences_by_method
from dart.stats.cluster import cluster_robust, correctness_differences, scenarios
from dart.stats.decision import Counts, defined, rates
from dart.stats.intervals import Interval
from dart.stats.paired import accuracy_difference, cohens_g, difference_interval, discordant, mcnemar
from dart.stats.pairing import in_item_order
from dart.stats.power import detectable_difference


def significant(value: float, digits: int = 6) -> float:
    """`value` rounded to `digits` significant digits: p-values keep their size in the file."""
    return float(f"{value:.{digits}g}")


def rounded(content: Any, scaled: bool = False, probability: bool = False) -> Any:
    """A JSON structure with its floats as metrics/*.json hold them.

    p-values ("p" and "p_...") to six significant digits, values x 1e5 (below a key that ends in "_x1e5") to four
    decimals, all others to six.
    """
    if isinstance(content, dict):
        return {
            key: rounded(value, scaled or key.endswith("_x1e5"), key == "p" or key.startswith("p_"))
            for key, value in content.items()
        }
    if isinstance(content, list):
        return [rounded(value, scaled, probability) for value in content]
    if not isinstance(content, float):
        return content
    return significant(content) if probability else round(content, 4 if scaled else 6)


def compare(
    items: Sequence[Item],
    base: Sequence[Generation],
    other: Sequence[Generation],
    statistics: Statistics,
    seed: int,
    what: str = "comparison",
) -> dict[str, Any]:
    """`exact_comparison`, rounded as metrics/*.json are."""
    comparison: dict[str, Any] = rounded(exact_comparison(items, base, other, statistics, seed, what))
    return comparison


def exact_comparison(
    items: Sequence[Item],
    base: Sequence[Generation],
    other: Sequence[Generation],
    statistics: Statistics,
    seed: int,
    what: str = "comparison",
) -> dict[str, Any]:
    """JSON of one comparison; unparsed answers are wrong, `parsed` repeats McNemar on pairs that parse on both sides.

    {n, <rate>_base, <rate>_other, <rate>_difference: {estimate, ci, ...}, mcnemar, cohens_g,
    minimum_detectable_difference, accuracy_difference_by_scenario, parsed: {n, mcnemar, ...}}. `ci` is Tango's score
    interval where the rate is a share of the same items on both sides, so that it agrees with McNemar's test;
    elsewhere (macro-F1, parsed accuracy) the percentile interval, with BCa's as `ci_bca`. The minimum detectable
    difference has 80 % power at the 5 % level, given the discordance share; None if no difference would have.
    """
    if not items:
        raise DataError(f"{what}: there are no items to compare.")
    first, second = in_item_order(items, base, f"{what}, base"), in_item_order(items, other, f"{what}, other")
    joint = joint_counts(items, first, second)
    by_method = rate_differences_by_method(joint, statistics, seed_for(seed, "bootstrap", what))
    resampled, corrected = by_method["percentile"], by_method["bca"]
    before, after = rates(joint.sum(axis=-1)), rates(joint.sum(axis=-2))
    result: dict[str, Any] = {"n": len(items), "parsed": _discordance(joint, parsed_only=True)}
    result.update(_discordance(joint, parsed_only=False))
    shares = _share_differences(joint, statistics.confidence)
    for name, interval in resampled.items():
        result[f"{name}_base"] = defined(getattr(before, name))
        result[f"{name}_other"] = defined(getattr(after, name))
        result[f"{name}_difference"] = (
            shares[name].json(None)
            if name in shares
            else interval.json(None) | {"ci_bca": corrected[name].json(None)["ci"]}
        )
    by_item = correctness_differences(items, first, second)
    clustered = cluster_robust(by_item, scenarios(items), statistics, seed_for(seed, "clusters", what))
    result["accuracy_difference_by_scenario"] = clustered.json(None)
    return result


def paired_rates(
    items: Sequence[Item],
    base: Sequence[Generation],
    other: Sequence[Generation],
    confidence: float,
    what: str = "comparison",
) -> dict[str, Any]:
    """What `compare` says of the rates that are shares of the same items, without what needs resamples.

    {<rate>_difference: {estimate, ci}, mcnemar} with rates accuracy, diff_accuracy, equal_accuracy and parse_rate.
    """
    first, second = in_item_order(items, base, f"{what}, base"), in_item_order(items, other, f"{what}, other")
    joint = joint_counts(items, first, second)
    b, c, _ = discordant(joint)
    shares = {f"{name}_difference": share.json(None) for name, share in _share_differences(joint, confidence).items()}
    result: dict[str, Any] = rounded({**shares, "mcnemar": mcnemar(b, c)._asdict()})
    return result


def _share_differences(joint: Counts, confidence: float) -> dict[str, Interval]:
    """Score intervals of the rates that are shares of the same items in both answers."""
    parsed = np.array([True, True, False])
    lost, gained = int(joint[:, parsed][:, :, ~parsed].sum()), int(joint[:, ~parsed][:, :, parsed].sum())
    tables = {"accuracy": joint, "diff_accuracy": joint[:1], "equal_accuracy": joint[1:]}
    gold = {"accuracy": (0, 1), "diff_accuracy": (0,), "equal_accuracy": (1,)}
    differences = {}
    for name, table in tables.items():
        b = sum(int(part[right].sum() - part[right, right]) for part, right in zip(table, gold[name], strict=True))
        c = sum(int(part[:, right].sum() - part[right, right]) for part, right in zip(table, gold[name], strict=True))
        differences[name] = difference_interval(b, c, int(table.sum()), confidence)
    return differences | {"parse_rate": difference_interval(lost, gained, int(joint.sum()), confidence)}


def _discordance(joint: Counts, parsed_only: bool) -> dict[str, Any]:
    b, c, n = discordant(joint, parsed_only)
    test = mcnemar(b, c)
    return {
        "n": n,
        "mcnemar": test._asdict(),
        "cohens_g": cohens_g(b, c),
        "minimum_detectable_difference": None if n == 0 else detectable_difference(n, (b + c) / n),
        "accuracy_difference_paper_g": None if n == 0 else abs(accuracy_difference(b, c, n)),
    }
