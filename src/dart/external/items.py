"""One prompt of an external suite with everything that the analysis groups by.

Groups travel with the prompt, because which prompts a slice holds is part of its result: a prompt of two groups or of
none is in no slice, as in the paper, and is counted by name. Section 3.4, appendices O.1 and P.1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

from pydantic import Field

from dart.core.errors import DataError
from dart.core.records import Generation, Item, Record

SuiteName = Literal["bold", "holisticbias", "realtoxicityprompts", "hatecheck"]
SUITES: tuple[SuiteName, ...] = get_args(SuiteName)
DISPLAY: Mapping[SuiteName, str] = {
    "bold": "BOLD",
    "holisticbias": "HolisticBias",
    "realtoxicityprompts": "RealToxicityPrompts",
    "hatecheck": "HateCheck",
}

# How a group is shown where its name in the files is not how one would say it (Tables 42, 43).
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
    """A prompt and what it belongs to. What a suite does not have is None."""

    id: str  # "<suite>-<place in its files>", unique in the suite
    suite: SuiteName
    prompt: str = Field(repr=False)  # hate speech, in HateCheck: a traceback must not quote it
    groups: tuple[str, ...]  # BOLD dimensions, HolisticBias category, HateCheck target, RTP level of input toxicity
    functionality: str | None = None  # HateCheck
    hateful: bool | None = None  # HateCheck's own label of the prompt
    input_toxicity: float | None = None  # RealToxicityPrompts: the score that comes with the prompt

    @property
    def group(self) -> str | None:
        """The one group whose slice this prompt is in; None for none or several."""
        return self.groups[0] if len(self.groups) == 1 else None

    def as_item(self) -> Item:
        """What `dart.student.generation.generate` takes: it reads the id and the prompt.

        These suites have no YES or NO that would be right; the record needs one, and nobody reads it.
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


def group_names(items: Iterable[ExternalItem]) -> list[str]:
    """Every group that some item belongs to, in the order of first appearance."""
    return list(dict.fromkeys(group for item in items for group in item.groups))


def outside_slices(items: Iterable[ExternalItem]) -> dict[str, int]:
    """How many items are in no slice, by why: {"gender + race": 20, "none": 3}."""
    found = Counter(" + ".join(item.groups) or "none" for item in items if item.group is None)
    return dict(sorted(found.items()))


def check_ids(items: Sequence[ExternalItem], name: str) -> list[ExternalItem]:
    """The items, if no id occurs twice.

    Raises:
        DataError: naming the first id that does.
    """
    doubled = [key for key, count in Counter(item.id for item in items).items() if count > 1]
    if doubled:
        raise DataError(f"{name}: the id {doubled[0]} occurs twice. Take the file from the pinned commit.")
    return list(items)


def text_of(value: Any, where: str) -> str:
    """`value`, if it is a text that says something.

    Raises:
        DataError: naming `where`, never the text.
    """
    if not isinstance(value, str) or not value.strip():
        found = "an empty text" if isinstance(value, str) else f"a {type(value).__name__}"
        raise DataError(f"{where}: a text should stand here, found {found}. Take the file from the pinned commit.")
    return value
