"""Stage `arm_stage3@NAME`: Stage III of an arm on its own repair rows, and its answers to the test set."""

from __future__ import annotations

from pathlib import Path

from dart.core import layout
from dart.core.distributed import is_main_process, replacing_on_main_process
from dart.core.files import read_jsonl, write_json
from dart.core.records import Item, RepairTarget
from dart.core.result_cache import result_cache
from dart.core.schema.ablations import Run
from dart.core.schema.method import SeverityWeights
from stages.ablations.training import ArmParams, arm_context, items_by_id, rationales_of


class Params(ArmParams):
    severity_weights: SeverityWeights


def run(arm: str) -> None:
    params = Params.load("arm_stage3", key=arm)
    runs = {name: each for name, each in params.variant.runs(arm).items() if each.repairs}
    with replacing_on_main_process(layout.arm_stage3(arm)) as folder:
        if is_main_process():
            write_json(folder / "runs.json", sorted(runs))  # so that the folder is there where nothing is to do
        if runs:
            _train_and_answer(params, arm, runs, folder)


def _train_and_answer(params: Params, arm: str, runs: dict[str, Run], folder: Path) -> None:
    from dart.ablations.run import train_stage3

    items, test = items_by_id(), read_jsonl(layout.split("test"), Item)
    with result_cache("ablations.stage3", arm) as results:
        context = arm_context(params, results)
        for name, each in runs.items():
            own = layout.arm_stage1(arm) / name / "adapter"
            train_stage3(
                context,
                each,
                own if each.change.trains_stage1 else layout.adapter(params.slot, "distilled", params.seeds[0]),
                rationales_of(arm, name),
                read_jsonl(layout.arm_targets(arm, name), RepairTarget),
                items,
                test,
                params.severity_weights,
                folder / name,
            )
