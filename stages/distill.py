"""Stage `distill` (Stage I, Section 2.3): the teacher explains the gold label of every training item."""

from __future__ import annotations

from dart.core import layout, params
from dart.core.files import read_jsonl, write_jsonl
from dart.core.records import Item
from dart.distill.rationales import write_rationales
from stages.clients import client_for, keep_cost


def run() -> None:
    given = params.load("distill")
    items = read_jsonl(layout.SUITE / "train.jsonl", Item)
    rationales, outcome = write_rationales(items, client_for(given, "teacher"), given.distill)
    outcome.require_complete("distill")
    write_jsonl(layout.RATIONALES, rationales)
    keep_cost(given.stage, outcome.usage.cost)
