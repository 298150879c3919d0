"""What the stages that compare base with repaired read: the sample of a suite, and the pairs of one student."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dart.core import layout
from dart.core.errors import DataError
from dart.core.files import read_jsonl
from dart.external.analysis import Pairs, paired
from dart.external.items import Answer, ExternalItem


def sample_of(suite: str, students: Sequence[str]) -> tuple[dict[str, Any], list[ExternalItem]]:
    """Card and prompts of the sample, which every student was asked.

    Raises:
        DataError: the students were asked different ones.
    """
    cards = {student: _card(suite, student) for student in students}
    samples = {student: _items(suite, student) for student in students}
    first, *others = students
    for other in others:
        if (cards[other], samples[other]) != (cards[first], samples[first]):
            raise DataError(
                f"{suite}: {first} and {other} were not asked the same prompts, so their answers come from different "
                "runs. Run `dvc repro` to bring them in step."
            )
    return cards[first], samples[first]


def pairs_of(suite: str, student: str) -> Pairs:
    folder = layout.external_answers(suite, student)
    base, repaired = (read_jsonl(folder / f"{variant}.jsonl", Answer) for variant in ("base", "repaired"))
    return paired(_items(suite, student), base, repaired, f"{suite}/{student}")


def _card(suite: str, student: str) -> dict[str, Any]:
    file = layout.external_answers(suite, student) / "card.json"
    if not file.is_file():
        raise DataError(f"{file} is missing. Run `dvc repro` (or `dvc checkout`) to produce it.")
    card: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return card


def _items(suite: str, student: str) -> list[ExternalItem]:
    return read_jsonl(layout.external_answers(suite, student) / "prompts.jsonl", ExternalItem)
