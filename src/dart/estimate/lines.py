"""A row of `dart estimate`, and what is assumed until a run has the real figures."""

from __future__ import annotations

from typing import NamedTuple

from dart.estimate.forecast import Forecast

# Shares of the test set that are assumed until they are known. The paper confirms 435 of 1,624 pairs as drift before
# repair and 119 after it (Table 45, Llama-3-8B); the screen's own share is not published, so it is taken a half larger.
DRIFT = {"distilled": 0.27, "repaired": 0.07, "control": 0.27}
SCREENED = {variant: 1.5 * share for variant, share in DRIFT.items()}
ANSWER_TOKENS = {"teacher": 90.0, "judge": 110.0}  # by kind of party, until the cache knows better
STAND_IN = "word " * 75  # a rationale of the usual length, until there are real ones
OPEN = "word " * 250  # an answer to an open-ended question


class Line(NamedTuple):
    """One stage's row."""

    stage: str
    party: str
    model: str
    forecast: Forecast
    basis: str
