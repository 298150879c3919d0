"""Stage `distill` (Stage I, Section 2.3): the teacher explains the gold label of every training item."""

from __future__ import annotations

from dart import params
from dart.chat import ChatClient
from dart.distill.rationales import write_rationales
from dart.embedded.transport import transport_for
from dart.records import Item, read_jsonl, write_jsonl
from stages import paths


def run() -> None:
    given = params.load("distill")
    teacher = given.world("teacher")
    client = ChatClient(teacher, stage="distill", transport=transport_for(teacher, given.world("world"), given.seed))
    items = read_jsonl(paths.SUITE / "train.jsonl", Item)
    rationales, outcome = write_rationales(items, client, given.distill)
    outcome.require_complete("distill")
    write_jsonl(paths.RATIONALES, rationales)
