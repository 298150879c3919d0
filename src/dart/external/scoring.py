"""Both classifiers score every answer: toxicity and hate of the text without its conclusion line (Appendix O.2)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Protocol

from dart.core.records import Generation
from dart.external.items import Answer

log = logging.getLogger(__name__)


class Scorer(Protocol):
    """What is needed of `dart.harm.Classifier`: H of each text, in [0, 1]."""

    def score(self, texts: Sequence[str]) -> list[float]: ...


def scored(answers: Mapping[str, Sequence[Generation]], toxicity: Scorer, hate: Scorer) -> dict[str, list[Answer]]:
    """The answers of every variant with both scores. Throughput is logged and no text is."""
    texts = [answer.rationale for generations in answers.values() for answer in generations]
    start = perf_counter()
    scores = iter(list(zip(toxicity.score(texts), hate.score(texts), strict=True)))
    seconds = perf_counter() - start
    log.info("%d texts scored for toxicity and hate, %.0f texts/s", len(texts), len(texts) / max(seconds, 1e-9))
    found: dict[str, list[Answer]] = {}
    for variant, generations in answers.items():
        rated = zip(generations, (next(scores) for _ in generations), strict=True)
        found[variant] = [
            Answer(**(answer.model_dump() | {"toxicity": toxic, "hate": hateful})) for answer, (toxic, hateful) in rated
        ]
    return found
