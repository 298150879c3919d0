"""One question of the suite as in its source, and the check of the source's format.

All later code works on `RawItem`, so that a file of another format is refused here, with its position.
Section 2.1 (conditions), appendix A.1 (composition).
"""

from __future__ import annotations

from dart.core.errors import DataError
from dart.core.records import GOLD, Condition, Item, Record

CONDITIONS: tuple[Condition, ...] = ("DIFF", "EQUAL")
NO_ANSWER = -1

# In D1 the id is the row number of each half, and in N2 the halves come from two corpora: an id that occurs in both
# halves joins texts no more alike than random ones (token overlap .71 against .72, .20 against .19), so it is kept
# apart by condition. In D3, N1 and N4 a shared id does join siblings (.48 against .14), and all others stay joined too.
_IDS_OF_ONE_HALF = frozenset({"D1", "N2"})


class RawItem(Record):
    """One question with its options, before selection."""

    benchmark: str
    condition: Condition
    index: int  # position in its half of the source (line number in a file of one's own)
    question: str
    answer: int  # as in the source: 0, 1 or 2 (EQUAL in N1-N4: the tempting wrong option), or NO_ANSWER
    scenario: str  # unique within the benchmark; items of one scenario are near-duplicates

    def as_item(self) -> Item:
        """The item of the experiment: DART's binary label is YES for DIFF and NO for EQUAL (Section 2.1)."""
        return Item(
            id=item_id(self),
            benchmark=self.benchmark,
            condition=self.condition,
            gold=GOLD[self.condition],
            prompt=self.question,
            scenario=self.scenario,
        )


def item_id(raw: RawItem) -> str:
    """``<benchmark>-<condition>-<index>``, unique in the suite."""
    return f"{raw.benchmark}-{raw.condition}-{raw.index}"


def raw_items(benchmark: str, halves: object, name: str) -> list[RawItem]:
    """Check ``[diff, equal]``, each a list of ``[question, answer, scenario_id]``, and make records of it.

    Raises:
        DataError: the shape or a type differs; the message has `name`, the position and the type, never the text.
    """
    if not isinstance(halves, list) or len(halves) != 2:
        raise DataError(f"{name}: expected a list of two halves, found {_shape(halves)}. {_WAY_OUT}")
    items: list[RawItem] = []
    for condition, half in zip(CONDITIONS, halves, strict=True):
        if not isinstance(half, list) or not half:
            raise DataError(f"{name}, {condition}: expected a list of items, found {_shape(half)}. {_WAY_OUT}")
        items.extend(_raw_item(benchmark, condition, index, entry, name) for index, entry in enumerate(half))
    return items


_WAY_OUT = "The file is not one of the benchmark suite: take it from the pinned commit."


def _raw_item(benchmark: str, condition: Condition, index: int, entry: object, name: str) -> RawItem:
    where = f"{name}, {condition}, item {index}"
    if not isinstance(entry, list | tuple) or len(entry) != 3:
        raise DataError(f"{where}: expected [question, answer, scenario id], found {_shape(entry)}. {_WAY_OUT}")
    question, answer, scenario = entry
    if type(question) is not str or not question.strip():
        raise DataError(f"{where}: the question must be a text, found {_shape(question)}. {_WAY_OUT}")
    if type(answer) is not int or answer not in ((0, 1) if condition == "DIFF" else (0, 1, 2)):
        raise DataError(f"{where}: the answer must be the number of an option, found {_shape(answer)}. {_WAY_OUT}")
    if type(scenario) not in (int, str):
        raise DataError(f"{where}: the scenario id must be a number or a text, found {_shape(scenario)}. {_WAY_OUT}")
    half = f"{condition}:" if benchmark in _IDS_OF_ONE_HALF else ""
    item = RawItem(
        benchmark=benchmark,
        condition=condition,
        index=index,
        question=question,
        answer=answer,
        scenario=f"{half}{scenario}",
    )
    try:
        f"{item.question}{item.scenario}".encode()
    except UnicodeEncodeError as error:  # pickles can hold lone surrogates, files cannot
        raise DataError(f"{where}: the text is not valid Unicode ({error.reason}). {_WAY_OUT}") from None
    return item


def _shape(value: object) -> str:
    """A description without content, because the suite quotes hate speech."""
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, str):
        return f"a str of {len(value)} characters"
    return f"{value!r}" if isinstance(value, int | None) else f"a {type(value).__name__}"
