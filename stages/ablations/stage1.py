"""Stage `arm_stage1@NAME`: Stage I of an arm that trains its own, and what else an arm answers without repair.

Folds of a cross-validation and a student against itself are answered here too. An arm that starts from the main
path's distilled student has nothing to do.
"""

from __future__ import annotations

from pathlib import Path

from dart.core import layout
from dart.core.distributed import is_main_process, replacing_on_main_process
from dart.core.files import read_json, read_jsonl, write_json
from dart.core.records import Item
from dart.core.result_cache import result_cache
from dart.core.schema.ablations import Change
from dart.core.schema.method import ToxicityTerm
from stages.ablations.training import ArmParams, arm_context, items_by_id, rationales_of


class Params(ArmParams):
    toxreg: ToxicityTerm


def run(arm: str) -> None:
    params = Params.load("arm_stage1", key=arm)
    work = {name: _work(each.change) for name, each in params.variant.runs(arm).items()}
    with replacing_on_main_process(layout.arm_stage1(arm)) as folder:
        if is_main_process():
            write_json(folder / "runs.json", work)  # so that the folder is there where nothing is to do
        if set(work.values()) != {"none"}:
            _train_and_answer(params, arm, work, folder)


def _train_and_answer(params: Params, arm: str, work: dict[str, str], folder: Path) -> None:
    from dart.ablations.run import cross_validate, noise_floor, train_stage1, write_records

    test = read_jsonl(layout.split("test"), Item)
    distilled = layout.adapter(params.slot, "distilled", params.seeds[0])
    with result_cache("ablations.stage1", arm) as results:
        context = arm_context(params, results, params.toxreg)
        for name, each in params.variant.runs(arm).items():
            out = folder / name
            if work[name] == "folds":
                folds = read_json(layout.SUITE / "folds.json", dict)
                cross_validate(context, each.change, rationales_of(arm, name), items_by_id(), folds, out)
            elif work[name] == "again":
                noise_floor(context, each.change, distilled, test, out)
            elif work[name] == "train":
                adapter = train_stage1(context, each, rationales_of(arm, name), items_by_id(), test, out)
                if each.change.toxicity_weight is not None:
                    validation = read_jsonl(layout.split("validation"), Item)
                    write_records(out / "validation.jsonl", context.answers(adapter, validation))
                    write_records(out / "plain_validation.jsonl", context.answers(distilled, validation))


def _work(change: Change) -> str:
    if change.folds:
        return "folds"
    if change.again:
        return "again"
    return "train" if change.trains_stage1 else "none"
