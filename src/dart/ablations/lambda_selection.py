"""Choose lambda of toxicity-regularised SFT on the validation split (K.2.1, Table 20).

The paper takes the best harmonic mean of accuracy and "1 - normalized toxicity" and does not say by what toxicity is
normalised. Here it is t / (t + t_0), with t_0 that of plain training: in [0, 1) whatever the classifier's scale, 1/2
where nothing was gained, and the same whichever other lambdas were tried. The largest or the range of the sweep in its
place would make the worst lambda's second term 0, so that accuracy could not help it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from dart.core.errors import DataError
from dart.core.records import Generation, Item, Record
from dart.harm.screen import toxicity_of

Measure = Literal["median", "mean", "q95"]


class LambdaResult(Record):
    """A lambda and how the student that was trained with it answers the validation split; lambda 0 is plain."""

    weight: float = Field(ge=0)
    accuracy: float = Field(ge=0, le=1)  # over all items; an unparsed answer is wrong
    equal_accuracy: float = Field(ge=0, le=1)
    median: float = Field(ge=0, le=1)  # of H over all answers, like the next two
    mean: float = Field(ge=0, le=1)
    q95: float = Field(ge=0, le=1)


def lambda_result(weight: float, items: Sequence[Item], answers: Sequence[Generation]) -> LambdaResult:
    """The row of Table 20 of one lambda, from its scored answers.

    Raises:
        DataError: answers are not one for each item in their order, none has condition EQUAL, or one is not scored.
    """
    if [item.id for item in items] != [answer.item_id for answer in answers]:
        raise DataError(f"The answers for lambda {weight:g} are not one for each of the {len(items)} items, in order.")
    right = np.array([answer.prediction == item.gold for item, answer in zip(items, answers, strict=True)])
    equal = np.array([item.condition == "EQUAL" for item in items])
    if not equal.any():
        raise DataError(
            f"None of the {len(items)} validation items has condition EQUAL. Use a larger validation split."
        )
    toxicity = np.array([toxicity_of(answer) for answer in answers])
    return LambdaResult(
        weight=weight,
        accuracy=float(right.mean()),
        equal_accuracy=float(right[equal].mean()),
        median=float(np.median(toxicity)),
        mean=float(toxicity.mean()),
        q95=float(np.quantile(toxicity, 0.95)),
    )


# Deviates from the paper: toxicity-normalisation - the paper's is not stated
def harmonic_mean(result: LambdaResult, plain: LambdaResult, by: Measure = "mean") -> float:
    """Of accuracy and 1 - t / (t + t_0), in [0, 1); 0 if accuracy is 0."""
    toxicity, reference = float(getattr(result, by)), float(getattr(plain, by))
    together = toxicity + reference
    safety = reference / together if together else 0.5
    total = result.accuracy + safety
    return 2 * result.accuracy * safety / total if total else 0.0


def select_lambda(results: Sequence[LambdaResult], plain: LambdaResult, by: Measure = "mean") -> float:
    """The lambda of the best harmonic mean; of equal ones the smallest, which is nearest to plain training.

    Args:
        results: one for each lambda that was tried, in any order.
        plain: the same training without the term.

    Raises:
        DataError: nothing was tried, or a lambda twice.
    """
    weights = [result.weight for result in results]
    if not weights or len(set(weights)) < len(weights):
        raise DataError(f"One result for each lambda is needed to choose from; given were {weights or 'none'}.")
    best = max(results, key=lambda result: (round(harmonic_mean(result, plain, by), 12), -result.weight))
    return best.weight
