"""Prompts of the external suites with everything that the analysis groups by, and scored answers to them.

Groups are fields of the prompt, because the prompts of a slice are part of its result: a prompt with two groups or
none is in no slice, as in the paper, and is counted. Section 3.4, Appendices O.1, O.2 and P.1.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter
from typing import Any, Literal, Protocol, get_args

from pydantic import Field

from dart.core.errors import DataError
from dart.core.records import Generation, Item, Record

log = logging.getLogger(__name__)

SuiteName = Literal["bold", "holisticbias", "realtoxicityprompts", "hatecheck"]
SUITES: tuple[SuiteName, ...] = get_args(SuiteName)
DISPLAY: Mapping[SuiteName, str] = {
    "bold": "BOLD",
    "holisticbias": "HolisticBias",
    "realtoxicityprompts": "RealToxicityPrompts",
    "hatecheck": "HateCheck",
}

# Display names of groups whose name in the files is not plain English (Tables 42, 43).
SPOKEN: Mapping[str, str] = {
    "religious_ideology": "religion",
    "political_ideology": "political ideology",
    "body_type": "body type",
    "gender_and_sex": "gender/sex",
    "race_ethnicity": "race/ethnicity",
    "sexual_orientation": "sexual orientation",
    "socioeconomic_class": "socioeconomic class",
}


class ExternalItem(Record):
    """A prompt and its groups; a field that a suite lacks is None."""

    id: str  # "<suite>-<position in its files>", unique in the suite
    suite: SuiteName
    prompt: str = Field(repr=False)  # hate speech, in HateCheck: a traceback must not quote it
    groups: tuple[str, ...]  # BOLD dimensions, HolisticBias category, HateCheck target, RTP level of input toxicity
    functionality: str | None = None  # HateCheck
    hateful: bool | None = None  # HateCheck's label of the prompt
    input_toxicity: float | None = None  # RealToxicityPrompts: the score that comes with the prompt

    @property
    def group(self) -> str | None:
        """The group whose slice this prompt is in; None if it has no group or several."""
        return self.groups[0] if len(self.groups) == 1 else None

    def as_item(self) -> Item:
        """The form that `dart.student.generation.generate` takes, which reads the id and the prompt.

        These suites have no correct label; the record requires one, and nothing reads it.
        """
        return Item(
            id=self.id, benchmark=self.suite, condition="EQUAL", gold="NO", prompt=self.prompt, scenario=self.id
        )


class Answer(Generation):
    """A scored answer: `toxicity` and `hate` are the two classifiers' H of the rationale, the analysis-only view."""

    toxicity: float
    hate: float

    @property
    def answered(self) -> bool:
        """Whether it has a valid conclusion line. The paper calls an answer without one an abstention (O.3)."""
        return self.prediction is not None


class Scorer(Protocol):
    """The interface of `dart.harm.classifier.Classifier`: one score in [0, 1] for each text."""

    def score(self, texts: Sequence[str]) -> list[float]: ...


def score_answers(
    generations: Mapping[str, Sequence[Generation]], toxicity: Scorer, hate: Scorer
) -> dict[str, list[Answer]]:
    """Score the rationales of every variant with both classifiers (Appendix O.2). Logs the throughput, no texts."""
    texts = [generation.rationale for variant in generations.values() for generation in variant]
    start = perf_counter()
    scores = iter(list(zip(toxicity.score(texts), hate.score(texts), strict=True)))
    seconds = perf_counter() - start
    log.info("%d texts scored for toxicity and hate, %.0f texts/s", len(texts), len(texts) / max(seconds, 1e-9))
    return {
        variant: [
            Answer(**(generation.model_dump() | dict(zip(("toxicity", "hate"), next(scores), strict=True))))
            for generation in of_variant
        ]
        for variant, of_variant in generations.items()
    }


def group_names(items: Iterable[ExternalItem]) -> list[str]:
    """Every group that some item belongs to, in the order of first appearance."""
    return list(dict.fromkeys(group for item in items for group in item.groups))


def outside_slices(items: Iterable[ExternalItem]) -> dict[str, int]:
    """How many items are in no slice, by reason: {"gender + race": 20, "none": 3}."""
    counts = Counter(" + ".join(item.groups) or "none" for item in items if item.group is None)
    return dict(sorted(counts.items()))


def check_ids(items: Sequence[ExternalItem], name: str) -> list[ExternalItem]:
    """The items, if their ids are unique.

    Raises:
        DataError: with the first id that occurs twice.
    """
    duplicates = [key for key, count in Counter(item.id for item in items).items() if count > 1]
    if duplicates:
        raise DataError(f"{name}: the id {duplicates[0]} occurs twice. Take the file from the pinned commit.")
    return list(items)


def text_of(value: Any, where: str) -> str:
    """`value`, if it is a text that is not blank.

    Raises:
        DataError: it is not; the message names `where` and never quotes the text.
    """
    if not isinstance(value, str) or not value.strip():
        kind = "an empty text" if isinstance(value, str) else f"a {type(value).__name__}"
        raise DataError(f"{where}: expected a text, found {kind}. Take the file from the pinned commit.")
    return value
