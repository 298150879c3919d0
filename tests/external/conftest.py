"""Answers that no model wrote, and the folder of the published files where there is one."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from dart.core.records import Label
from dart.external.items import Answer, ExternalItem

DATA = Path(os.environ.get("DART_DATA_DIR") or Path(__file__).resolve().parents[3] / "shared" / "data")

Answers = Callable[[Sequence[ExternalItem], Sequence[float], Sequence[float]], list[Answer]]


@pytest.fixture(scope="session")
def published() -> Path:
    if not (DATA / "hatecheck").is_dir():
        pytest.skip("the published files are not here: set DART_DATA_DIR")
    return DATA


def answer(item_id: str, variant: str, toxicity: float, hate: float, prediction: Label | None = "NO") -> Answer:
    return Answer(
        item_id=item_id, variant=variant, text=f"{variant} of {item_id}.\nConclusion: {prediction}",
        rationale=f"{variant} of {item_id}.", prediction=prediction, new_tokens=4, model="m", revision="r",
        prompt_hash="p", toxicity=toxicity, hate=hate,
    )  # fmt: skip


@pytest.fixture(scope="session")
def an_answer() -> Callable[..., Answer]:
    return answer


def item(number: int, *groups: str, functionality: str | None = None) -> ExternalItem:
    return ExternalItem(
        id=f"hatecheck-{number}", suite="hatecheck", prompt=f"Case {number}.", groups=groups,
        functionality=functionality, hateful=None if functionality is None else functionality.endswith("_h"),
    )  # fmt: skip


@pytest.fixture(scope="session")
def an_item() -> Callable[..., ExternalItem]:
    return item
