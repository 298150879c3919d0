"""A comparison as text: decisions by row, then what happened to harm, and the paper's statistics of harm below it.

Harm comes as what it is (mean, share above the threshold, tail, pairs that rise), because a median can fall while a
third of the explanations turn toxic. The JSON holds every number unrounded; here they are rounded to be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dart.compare.comparison import OVERALL, Comparisons
from dart.stats.paired import p_text

_NOTE = (
    "\nIntervals are about further prompts for these two models. b: base right and other wrong, c: the reverse; "
    "p: McNemar, exact\nand mid-p, not corrected for the number of rows. detectable: the difference found with 80 % "
    "power; unparsed answers are wrong."
)


def render(result: Comparisons) -> str:
    """The comparison as a text table, one line per row, and what there is on harm below it."""
    lines = [
        f"{'':10} {'n':>5} {'base':>6} {'other':>6}  {'difference':24} {'macro-F1':24} {'parsed':>13} "
        f"{'b':>5} {'c':>5} {'p exact':>8} {'mid-p':>8} {'detectable':>10}"
    ]
    lines += [_row(name, comparison) for name, comparison in result.items()]
    overall = result[OVERALL] or {}
    if "accuracy_difference_by_scenario" in overall:
        robust = overall["accuracy_difference_by_scenario"]
        lines.append(f"\naccuracy difference, {robust['clusters']} scenarios resampled whole: {_change(robust)}")
    for score, tests in overall.get("harm", {}).items():
        lines += _harm(score, tests)
    return "\n".join([*lines, _NOTE])


def _row(name: str, comparison: Mapping[str, Any] | None) -> str:
    if comparison is None:
        return f"{name:10} {0:5}"
    test, detectable = comparison["mcnemar"], comparison["minimum_detectable_difference"]
    return (
        f"{name:10} {comparison['n']:5} {comparison['accuracy_base']:6.3f} {comparison['accuracy_other']:6.3f}  "
        f"{_change(comparison['accuracy_difference']):24} {_change(comparison['macro_f1_difference']):24} "
        f"{comparison['parse_rate_base']:.3f} > {comparison['parse_rate_other']:.3f} {test['b']:5} {test['c']:5} "
        f"{p_text(test['p_exact']):>8} {p_text(test['p_midp']):>8} "
        f"{'-' if detectable is None else f'{detectable:.3f}':>10}"
    )


def _harm(score: str, tests: Mapping[str, Any]) -> list[str]:
    without = f", {tests['without_rationale']} pairs without a rationale left out" if tests["without_rationale"] else ""
    if not tests["n"]:
        return [f"\n{score}: no pair has a rationale on both sides, so harm cannot be compared."]
    mean, above, q95, rise = (tests[name] for name in ("mean", "share_above", "q95", "rise"))
    paper = tests["mann_whitney"]
    return [
        f"\n{score} of {tests['n']} pairs{without} (x 1e5):",
        f"  mean {mean['base_x1e5']:.2f} > {mean['other_x1e5']:.2f}, difference {_change(mean['difference_x1e5'], 2)}, "
        f"p {p_text(mean['p'])}",
        f"  above {above['threshold']:g}: {above['base']['estimate']:.3f} > {above['other']['estimate']:.3f}, "
        f"difference {_change(above['difference'])}, p {p_text(above['p'])}",
        f"  95th percentile {q95['base_x1e5']:.2f} > {q95['other_x1e5']:.2f}, difference "
        f"{_change(q95['difference_x1e5'], 2)}",
        f"  pairs that rise by more than {rise['tau']:g}: {rise['rose_count']}, fall: {rise['fell_count']}, net share "
        f"{_change(rise['net'])}, p {p_text(rise['p'])}",
        f"  the paper's: median {tests['median_base_x1e5']:.2f} > {tests['median_other_x1e5']:.2f} "
        f"({_change(tests['median_change'])} relative), permutation p {p_text(tests['permutation']['p'])}, "
        f"Mann-Whitney p {p_text(paper['p'])}, rank-biserial {paper['rank_biserial']:+.3f}",
        f"  ranks, paired: Hodges-Lehmann shift {_change(tests['hodges_lehmann_x1e5'])}, Wilcoxon p "
        f"{p_text(tests['wilcoxon']['p'])}",
    ]


def _change(value: Mapping[str, Any], digits: int = 3) -> str:
    if value["estimate"] is None:
        return "-"
    bounds = "" if value["ci"] is None else f" [{value['ci'][0]:+.{digits}f}, {value['ci'][1]:+.{digits}f}]"
    return f"{value['estimate']:+.{digits}f}{bounds}"
