"""The sample stands beside the answers of every student; students who were asked different prompts are not compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dart.core import layout
from dart.core.errors import DataError
from dart.core.files import write_json, write_jsonl
from dart.external.items import Answer, ExternalItem
from stages.external.reading import pairs_of, sample_of

MakeItem = Callable[..., ExternalItem]
MakeAnswer = Callable[..., Answer]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, an_item: MakeItem, an_answer: MakeAnswer):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)

    def written(student: str, numbers: list[int], card: str = "c") -> None:
        folder = layout.external_answers("hatecheck", student)
        items = [an_item(number, "group") for number in numbers]
        write_jsonl(folder / "prompts.jsonl", items)
        write_json(folder / "card.json", {"suite": card})
        for variant in ("base", "repaired"):
            write_jsonl(folder / f"{variant}.jsonl", [an_answer(item.id, variant, 0.1, 0.2) for item in items])

    return written


def test_every_student_has_the_same_sample(write: Callable[..., None]) -> None:
    write("small", [1, 2])
    write("base", [1, 2])
    card, items = sample_of("hatecheck", ("small", "base"))
    assert (card, [item.id for item in items]) == ({"suite": "c"}, ["hatecheck-1", "hatecheck-2"])
    assert [item.id for item in pairs_of("hatecheck", "base").items] == ["hatecheck-1", "hatecheck-2"]


@pytest.mark.parametrize(("numbers", "card"), [([1, 3], "c"), ([1], "c"), ([1, 2], "d")])
def test_different_samples_are_refused(write: Callable[..., None], numbers: list[int], card: str) -> None:
    write("small", [1, 2])
    write("base", numbers, card)
    with pytest.raises(DataError, match="small and base were not asked the same prompts"):
        sample_of("hatecheck", ("small", "base"))


def test_a_missing_card_is_named(write: Callable[..., None]) -> None:
    with pytest.raises(DataError, match=r"small/card\.json is missing"):
        sample_of("hatecheck", ("small",))
