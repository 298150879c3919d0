"""Stage `arm@NAME` of ablations/dvc.yaml: one alternative to the default recipe, with its points and seeds.

One process for train, generate, score and audit. What an arm has in common with the main path it takes from there:
base and distilled with their answers, and the distilled adapter unless Stage I differs. Its own audit asks nothing
new where threshold and judge are the default's, because answers are cached. Stage `arms` compares them.
"""

from __future__ import annotations

from contextlib import ExitStack

from dart import params
from dart.arms.recipe import carry_out, cross_validate, floor
from dart.arms.setting import Setting, Sources, make_folder
from dart.harm.classifier import Classifier
from dart.records import Generation, Item, Rationale, read_json, read_jsonl, write_json
from dart.student.sharing import leads, replaced_together
from stages import paths
from stages.asking import client_for, total


def run(name: str) -> None:
    given = params.load(f"ablations/dvc.yaml:arm@{name}")
    with ExitStack() as stack, replaced_together(paths.arm(name)) as home:
        setting = _setting(given, stack)
        make_folder(home)
        for run_name, each in given.variant(name).runs(name).items():
            if each.change.folds:
                cross_validate(setting, each.change, home / run_name)
            elif each.change.again:
                floor(setting, each.change, home / run_name)
            else:
                carry_out(setting, each, home / run_name)
        if leads():
            write_json(home / "cost.json", total(*setting.costs), digits=6)


def _setting(given: params.StageParams, stack: ExitStack) -> Setting:
    student = given.arms.student
    items = read_jsonl(paths.SUITE / "test.jsonl", Item)
    known = {item.id: item for item in (*read_jsonl(paths.SUITE / "train.jsonl", Item), *items)}
    return Setting(
        given=given,
        sources=Sources(paths.base(student), paths.adapter(student, "distilled")),
        client=lambda party: client_for(given, party),
        unlabelled=lambda party: client_for(given, party, list(known.values())),
        items=items,
        known=known,
        folds=read_json(paths.SUITE / "folds.json", dict),
        validation=read_jsonl(paths.SUITE / "validation.jsonl", Item),
        rationales=read_jsonl(paths.RATIONALES, Rationale),
        base=read_jsonl(paths.generations(student, "base"), Generation),
        distilled=read_jsonl(paths.generations(student, "distilled"), Generation),
        classifier=Classifier.load(paths.SCORERS / "toxicity", given.world("scorers")["toxicity"]),
        costs=[],
        stack=stack,
    )
