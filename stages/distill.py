"""Stage `distill` (Stage I, Section 2.3): the teacher explains the gold label of every training item."""

from __future__ import annotations

from dart.core import layout
from dart.core.files import read_jsonl, write_jsonl
from dart.core.params import TeacherEndpoint
from dart.core.records import Item
from dart.core.schema.method import Distill
from dart.distill.rationales import write_rationales
from stages.clients import AskingParams, chat_client, write_cost

STAGE = "distill"


class Params(AskingParams):
    distill: Distill
    teacher: TeacherEndpoint


def run() -> None:
    params = Params.load(STAGE)
    items = read_jsonl(layout.split("train"), Item)
    teacher = chat_client(STAGE, "teacher", params.teacher, params)
    rationales, outcome = write_rationales(items, teacher, params.distill)
    outcome.require_complete(STAGE)
    write_jsonl(layout.RATIONALES, rationales)
    write_cost(STAGE, outcome.usage.cost)
