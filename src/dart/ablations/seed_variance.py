"""What no interval over items contains: how far a figure moves from one training seed, or fold, to the next."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dart.core.records import Generation, Item
from dart.stats.decision import decision_metrics
from dart.stats.harm import harm_metrics

Values = Mapping[str, float]  # by seed or fold

MEASURES: dict[str, Callable[[Mapping[str, Any]], float | None]] = {
    "accuracy": lambda report: report["decision"]["accuracy"],
    "equal_accuracy": lambda report: report["decision"]["equal_accuracy"],
    "toxicity_median_x1e5": lambda report: report["harm"]["toxicity_median_x1e5"],
    "drift_rate": lambda report: report["drift"]["rate"],
    "grave_rate": lambda report: (report["drift"]["severe"] + report["drift"]["extreme"]) / report["n"],
    "true_rate": lambda report: report["true"]["rate"] if "true" in report else None,
}


def spread(points: Values) -> dict[str, Any]:
    """{points, mean, sd}; sd is the sample's (n - 1), None for a single point."""
    values = list(points.values())
    return {
        "points": {name: round(value, 4) for name, value in points.items()},
        "mean": round(statistics.fmean(values), 4),
        "sd": round(statistics.stdev(values), 4) if len(values) > 1 else None,
    }


def seed_spread(
    reports: Mapping[str, Mapping[str, Any]], default: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """{measure: spread} of one point's runs, by seed; with `default`, also "difference": of the same seeds, paired.

    Args:
        reports: by seed, as `arm_report` gives them.
        default: the default recipe's, by seed.
    """
    spreads: dict[str, Any] = {}
    for measure, value in MEASURES.items():
        points = {seed: figure for seed, report in reports.items() if (figure := value(report)) is not None}
        if not points:
            continue
        spreads[measure] = spread(points)
        if default is not None:
            both = {
                seed: point - default_figure
                for seed, point in points.items()
                if seed in default and (default_figure := value(default[seed])) is not None
            }
            if both:
                spreads[measure]["difference"] = spread(both)
    return spreads


def cross_validation(folds: Mapping[int, tuple[Sequence[Item], Sequence[Generation]]]) -> dict[str, Any]:
    """{folds: {K: figures}, mean and sd of each figure}, over the folds that were run (Table 7)."""
    figures: dict[str, dict[str, float]] = {}
    for fold, (items, answers) in sorted(folds.items()):
        decision = decision_metrics(items, answers, f"fold {fold}").model_dump(exclude={"by_benchmark", "n"})
        harm = harm_metrics(items, answers, f"fold {fold}")
        figures[str(fold)] = {key: value for key, value in {**decision, **harm}.items() if value is not None}
    names = sorted(set.intersection(*(set(figure) for figure in figures.values()))) if figures else []
    return {
        "items": {str(fold): len(items) for fold, (items, _) in sorted(folds.items())},
        "figures": {name: spread({fold: figure[name] for fold, figure in figures.items()}) for name in names},
    }
