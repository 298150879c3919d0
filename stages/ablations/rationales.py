"""Stage `arm_rationales`: what the teachers write for Stage I of the arms that do not train on the main path's."""

from __future__ import annotations

from dart.ablations.rationales import stage1_rationales, writes_rationales
from dart.core import layout
from dart.core.files import read_jsonl, replacing, write_json, write_jsonl
from dart.core.records import Item
from dart.core.schema.ablations import Variant
from dart.core.schema.method import Distill
from stages.ablations.asking import TeachersParams, parties
from stages.clients import write_cost

STAGE = "arm_rationales"


class Params(TeachersParams):
    variants: dict[str, Variant]
    distill: Distill


def run() -> None:
    params = Params.load(STAGE)
    train, test = (read_jsonl(layout.split(name), Item) for name in ("train", "test"))
    asked = parties(STAGE, params, params.endpoints(), [*train, *test])
    with replacing(layout.arm_rationales_root()) as folder:
        for arm, variant in params.variants.items():
            written = {}
            for name, each in variant.runs(arm).items():
                written[name] = writes_rationales(each.change)
                if written[name]:
                    rationales = stage1_rationales(each.change, train, test, params.distill, asked)
                    write_jsonl(folder / arm / f"{name}.jsonl", rationales)
            write_json(folder / arm / "runs.json", written)  # so that every arm has a folder to depend on
    write_cost(STAGE, *asked.costs)
