"""How far a figure moves from one fold to the next: Table 7, which no interval over items replaces (Appendix A.3)."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from dart.core.records import Generation, Item
from dart.stats.decision import decision_metrics
from dart.stats.harm import harm_metrics

Values = Mapping[str, float]  # by fold


def spread(points: Values) -> dict[str, Any]:
    """{points, mean, sd}; sd is the sample's (n - 1), None for a single point."""
    values = list(points.values())
    return {
        "points": {name: round(value, 4) for name, value in points.items()},
        "mean": round(statistics.fmean(values), 4),
        "sd": round(statistics.stdev(values), 4) if len(values) > 1 else None,
    }


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
