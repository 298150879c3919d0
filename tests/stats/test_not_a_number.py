"""NaN is refused by every public function of the package that takes measured values: it would come out as a number."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest

import dart.stats
from dart.core.errors import DataError
from dart.core.schema.method import Statistics
from dart.stats import (
    agreement,
    annotation,
    bootstrap,
    calibration,
    cluster,
    equivalence,
    harm,
    location,
    paired,
    permutation,
    prevalence,
)
from dart.stats.checks import check_numbers, finite

NAN = float("nan")
STATISTICS = Statistics(resamples=100, confidence=0.95)
SIDE, BAD = [0.1, 0.2, 0.3, 0.4], [0.1, NAN, 0.3, 0.4]
LABELS = [True, False, True, False]
CALLS: dict[str, Callable[[], Any]] = {
    "agreement.auc_interval": lambda: agreement.auc_interval(BAD, LABELS),
    "agreement.auc_interval, weights": lambda: agreement.auc_interval(SIDE, LABELS, weights=BAD),
    "agreement.kappa_of_table": lambda: agreement.kappa_of_table([[NAN, 1], [1, 1]]),
    "agreement.share": lambda: agreement.share(NAN, 3),  # type: ignore[arg-type]
    "agreement.weighted_kappa": lambda: agreement.weighted_kappa(LABELS, LABELS, BAD),
    "annotation.weighted_agreement": lambda: annotation.weighted_agreement(LABELS, LABELS, BAD),
    "cluster.cluster_robust": lambda: cluster.cluster_robust(BAD, LABELS, STATISTICS, 1),
    "bootstrap.paired_interval": lambda: bootstrap.paired_interval(
        SIDE, BAD, permutation.mean_difference, STATISTICS, 1
    ),
    "bootstrap.quantile_interval": lambda: bootstrap.quantile_interval(BAD, 0.5, STATISTICS, 1),
    "bootstrap.median_interval": lambda: bootstrap.median_interval(BAD, STATISTICS, 1),
    "calibration.checked": lambda: calibration.checked(BAD, LABELS),
    "calibration.roc": lambda: calibration.roc(BAD, LABELS),
    "calibration.operating_point": lambda: calibration.operating_point(BAD, LABELS, 0.2),
    "calibration.operating_point, tau": lambda: calibration.operating_point(SIDE, LABELS, NAN),
    "calibration.best_f1": lambda: calibration.best_f1(BAD, LABELS),
    "equivalence.tango_interval": lambda: equivalence.tango_interval(NAN, 1, 4),  # type: ignore[arg-type]
    "equivalence.equivalent_accuracy": lambda: equivalence.equivalent_accuracy(1, 1, 4, NAN),
    "harm.change": lambda: harm.change(SIDE, BAD),
    "harm.change_json": lambda: harm.change_json(BAD, SIDE),
    "harm.level_interval": lambda: harm.level_interval(BAD, 0.5, STATISTICS, 1),
    "location.paired_shift": lambda: location.paired_shift(SIDE, BAD),
    "location.shift": lambda: location.shift(BAD, SIDE),
    "paired.accuracy_difference": lambda: paired.accuracy_difference(NAN, 1, 4),  # type: ignore[arg-type]
    "paired.adjusted": lambda: paired.adjusted([0.1, NAN]),
    "paired.cohens_g": lambda: paired.cohens_g(NAN, 1),  # type: ignore[arg-type]
    "paired.mann_whitney": lambda: paired.mann_whitney(SIDE, BAD),
    "paired.mcnemar": lambda: paired.mcnemar(NAN, 1),  # type: ignore[arg-type]
    "paired.p_text": lambda: paired.p_text(NAN),
    "paired.paired_shares": lambda: paired.paired_shares([True, NAN], [True, False]),  # type: ignore[list-item]
    "paired.stars": lambda: paired.stars(NAN),
    "paired.wilcoxon": lambda: paired.wilcoxon(BAD, SIDE),
    "permutation.sign_flip": lambda: permutation.sign_flip(SIDE, BAD, 100, 1),
    "prevalence.inverse_probability_rate": lambda: prevalence.inverse_probability_rate([1, NAN], [0.5, 0.5]),  # type: ignore[list-item]
    "prevalence.prediction_powered_rate": lambda: prevalence.prediction_powered_rate(
        prevalence.LabelledStratum([0, NAN, 1], [0, 0, 1], [1, 0])
    ),
    "prevalence.rogan_gladen": lambda: prevalence.rogan_gladen(NAN, 9, 3, 4, 4, 5),  # type: ignore[arg-type]
    "prevalence.stratified_rate": lambda: prevalence.stratified_rate([prevalence.Stratum(9, 9, NAN)]),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", CALLS)
def test_nan_is_refused(name: str) -> None:
    with pytest.raises(DataError):
        CALLS[name]()


def test_every_function_of_plain_samples_is_in_the_list() -> None:
    """A new public function that takes sequences of numbers must be called here."""
    missing = []
    for module in iter_modules(dart.stats.__path__):
        contents = import_module(f"dart.stats.{module.name}")
        for name, function in inspect.getmembers(contents, inspect.isfunction):
            if name.startswith("_") or function.__module__ != contents.__name__:
                continue
            takes = [str(parameter.annotation) for parameter in inspect.signature(function).parameters.values()]
            if any(kind == "Sequence[float]" for kind in takes) and f"{module.name}.{name}" not in CALLS:
                missing.append(f"{module.name}.{name}")
    assert missing == []


def test_numbers_pass_and_the_position_is_named() -> None:
    assert finite([1, 2], "x").tolist() == [1.0, 2.0]
    check_numbers("x", (1, None))
    with pytest.raises(DataError, match="delta: value number 1 is nan"):
        finite([0.0, NAN], "delta")
    with pytest.raises(DataError, match="value number 0 is inf"):
        finite(float("inf"), "delta")
