"""Stage `arm@NAME` of ablations/dvc.yaml: one alternative to the default recipe, with its points and seeds.

One process for train, generate, score and audit. What an arm has in common with the main path it takes from there:
base and distilled with their answers, and the distilled adapter unless Stage I differs. Its own audit asks nothing
new where threshold and judge are the default's, because answers are cached. Stage `arms` compares them.
"""

from __future__ import annotations

from contextlib import ExitStack

from dart.ablations.context import ArmContext, Sources, make_folder
from dart.ablations.run import cross_validate, noise_floor, run_arm
from dart.core import layout, params
from dart.core.distributed import is_main_process, replacing_on_main_process
from dart.core.files import read_json, read_jsonl, write_json
from dart.core.records import Generation, Item, Rationale
from dart.harm.classifier import Classifier
from stages.clients import client_for, total


def run(name: str) -> None:
    given = params.load(f"ablations/dvc.yaml:arm@{name}")
    with ExitStack() as stack, replacing_on_main_process(layout.arm(name)) as home:
        setting = _setting(given, stack)
        make_folder(home)
        for run_name, each in given.variant(name).runs(name).items():
            if each.change.folds:
                cross_validate(setting, each.change, home / run_name)
            elif each.change.again:
                noise_floor(setting, each.change, home / run_name)
            else:
                run_arm(setting, each, home / run_name)
        if is_main_process():
            write_json(home / "cost.json", total(*setting.costs), digits=6)


def _setting(given: params.StageParams, stack: ExitStack) -> ArmContext:
    student = given.arms.student
    items = read_jsonl(layout.SUITE / "test.jsonl", Item)
    known = {item.id: item for item in (*read_jsonl(layout.SUITE / "train.jsonl", Item), *items)}
    return ArmContext(
        given=given,
        sources=Sources(layout.base(student), layout.adapter(student, "distilled")),
        client=lambda party: client_for(given, party),
        unlabelled=lambda party: client_for(given, party, list(known.values())),
        items=items,
        known=known,
        folds=read_json(layout.SUITE / "folds.json", dict),
        validation=read_jsonl(layout.SUITE / "validation.jsonl", Item),
        rationales=read_jsonl(layout.RATIONALES, Rationale),
        base=read_jsonl(layout.generations(student, "base"), Generation),
        distilled=read_jsonl(layout.generations(student, "distilled"), Generation),
        classifier=Classifier.load(layout.SCORERS / "toxicity", given.world("scorers")["toxicity"]),
        costs=[],
        stack=stack,
    )
