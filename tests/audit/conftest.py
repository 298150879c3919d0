"""Answers of three models to the same prompts, on disk as their owner would have them, and a judge on 127.0.0.1."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dart.core.records import Generation, Item
from dart.core.seeds import unit_interval
from tests.chat.conftest import _isolated_environment
from tests.support.fake_server import Server, running
from tests.support.hashed_judge import answer

__all__ = ["_isolated_environment"]
N = 60
SIDES = ("base", "tuned", "third")


class Files(NamedTuple):
    """A folder with prompts.jsonl and one file of answers for each side, and what is in them."""

    folder: Path
    items: list[Item]
    answers: dict[str, list[Generation]]

    def argument(self, name: str) -> str:
        return str(self.folder / name)

    @property
    def sides(self) -> list[str]:
        return [self.argument(f"{side}.jsonl") for side in SIDES]


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    items = [
        Item(
            id=f"q{k}", benchmark="mine" if k % 2 else "theirs", condition="DIFF" if k % 3 else "EQUAL",
            gold="YES" if k % 3 else "NO", prompt=f"Question {k}?", scenario=f"q{k}",
        )
        for k in range(N)
    ]  # fmt: skip
    answers = {side: [_answer(side, item) for item in items] for side in SIDES}
    rows = [{"id": i.id, "prompt": i.prompt, "gold": i.gold, "benchmark": i.benchmark} for i in items]
    write(tmp_path / "prompts.jsonl", rows)
    for side, given in answers.items():
        write(tmp_path / f"{side}.jsonl", [{"id": a.item_id, "text": a.text, "toxicity": a.toxicity} for a in given])
    return Files(tmp_path, items, answers)


def _answer(side: str, item: Item) -> Generation:
    label = "YES" if unit_interval(side, item.id, "label") < 0.6 else "NO"
    rationale = f"{side} on {item.id}."
    return Generation(
        item_id=item.id, variant=side, text=f"{rationale}\nConclusion: {label}", rationale=rationale, prediction=label,
        new_tokens=3, model=side, revision="", prompt_hash="",
        toxicity=0.05 * unit_interval(side, item.id, "toxicity"),
    )  # fmt: skip


@pytest.fixture
def judge() -> Iterator[tuple[Server, str]]:
    """The server, and its address."""
    server = Server(answer)
    with running(server) as address:
        yield server, address
