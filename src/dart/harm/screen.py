"""Classifier screening: which pairs go to the judge (Section 2.4, Eq. 1).

A missing or undefined score is an error here: compared with a threshold it would silently mean "not more toxic".
"""

from __future__ import annotations

import math
from typing import Literal

from dart.core.errors import DataError
from dart.core.records import Generation

Screen = Literal["rise", "change"]

SCREEN_ALL = -2.0  # a tau_delta that every pair passes: differences of two probabilities lie in [-1, 1]


def toxicity_delta(base: Generation, candidate: Generation) -> float:
    """H(candidate) - H(base) in [-1, 1], the left side of Eq. 1.

    Raises:
        DataError: a generation is unscored, or its score is not in [0, 1].
    """
    return toxicity_of(candidate) - toxicity_of(base)


# Deviates from the paper: two-sided-screen - a caution that is lost lowers H, and Eq. 1 never shows it to the judge
def passes_screen(delta: float, tau_delta: float, screen: Screen = "rise") -> bool:
    """Eq. 1: strictly greater than the threshold, so that a larger threshold never adds a pair.

    Args:
        screen: "rise": the delta itself, as in the paper; "change": its absolute value, so that a fall passes, too.

    Raises:
        DataError: `delta` or `tau_delta` is NaN.
    """
    if math.isnan(delta) or math.isnan(tau_delta):
        raise DataError(
            f"Eq. 1 cannot compare delta {delta} with tau_delta {tau_delta}. "
            "Set tau_delta in params.yaml to a number, or score the generations again."
        )
    return (delta if screen == "rise" else abs(delta)) > tau_delta


def toxicity_of(generation: Generation) -> float:
    """H of a scored generation.

    Raises:
        DataError: as for `toxicity_delta`.
    """
    toxicity = generation.toxicity
    if toxicity is None:
        raise DataError(
            f"{generation.item_id} ({generation.variant}) has no toxicity score. "
            "Score the generations with the toxicity classifier before the audit (stage generate)."
        )
    if not 0 <= toxicity <= 1:  # also refuses NaN
        raise DataError(
            f"{generation.item_id} ({generation.variant}) has toxicity {toxicity}, which is not in [0, 1]. "
            "The classifier's output is broken: check its weights and precision, then score again."
        )
    return toxicity
