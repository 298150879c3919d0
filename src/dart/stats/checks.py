"""Refuse values that are no numbers before they enter a statistic.

A NaN passes through most of numpy without a sound: a comparison with it is false, so that a rate comes out wrong rather
than undefined. Every function of this package that takes measured values passes them through `finite`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from dart.core.errors import DataError
from dart.stats.decision import Floats


def finite(values: ArrayLike, what: str) -> Floats:
    """`values` as an array of floats of the same shape.

    Raises:
        DataError: one of them is NaN or infinite; the message names `what` and the position.
    """
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        position = int(np.flatnonzero(~np.isfinite(array.ravel()))[0])
        raise DataError(f"{what}: value number {position} is {array.ravel()[position]}. Give finite numbers only.")
    return array


def check_numbers(what: str, values: Iterable[float | None]) -> None:
    """Refuse single numbers that are NaN or infinite; None is no number and passes.

    Raises:
        DataError: as `finite`.
    """
    finite([value for value in values if value is not None], what)
