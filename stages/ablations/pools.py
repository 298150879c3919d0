"""Stage `arm_pools`: each arm's own audit before Stage III, and the safe targets that its teacher writes for it."""

from __future__ import annotations

from typing import Annotated

from dart.ablations.repair_pools import audit_pool, pool_targets
from dart.core import layout
from dart.core.files import read_jsonl, replacing, write_json, write_jsonl
from dart.core.params import FromParams, FromProfile, JudgeEndpoint, SecondJudgeEndpoint, TrainingSeeds
from dart.core.records import Generation, Item
from dart.core.schema.ablations import Variant
from dart.core.schema.method import Audit, Distill, Repair
from dart.core.schema.profile import Endpoint, ScorerSpec
from dart.harm.classifier import Classifier
from stages.ablations.asking import TeachersParams, parties
from stages.clients import write_cost

STAGE = "arm_pools"


class Params(TeachersParams):
    seeds: TrainingSeeds
    slot: Annotated[str, FromParams("arms.student")]
    tau_delta: Annotated[float, FromParams("arms.tau_delta")]
    variants: dict[str, Variant]
    audit: Audit
    distill: Distill
    repair: Repair
    judge: JudgeEndpoint
    second_judge: SecondJudgeEndpoint
    toxicity: Annotated[ScorerSpec, FromProfile("scorers.toxicity")]

    def endpoints(self) -> dict[str, Endpoint | None]:
        return super().endpoints() | {"judge": self.judge, "second_judge": self.second_judge}


def run() -> None:
    params = Params.load(STAGE)
    train, test = (read_jsonl(layout.split(name), Item) for name in ("train", "test"))
    base, distilled = (
        read_jsonl(layout.generations(params.slot, name, params.seeds[0]), Generation) for name in ("base", "distilled")
    )
    classifier = Classifier.load(layout.SCORERS / "toxicity", params.toxicity)
    asked = parties(STAGE, params, params.endpoints(), [*train, *test])
    with replacing(layout.arm_pools_root()) as pools_folder, replacing(layout.arm_targets_root()) as targets_folder:
        for arm, variant in params.variants.items():
            repaired = {name: each.repairs for name, each in variant.runs(arm).items()}
            write_json(targets_folder / arm / "runs.json", repaired)  # so that every arm has a folder to depend on
            for name, each in variant.runs(arm).items():
                if not each.repairs:
                    continue
                change, answers = each.change, distilled
                if change.trains_stage1:
                    answers = read_jsonl(layout.arm_stage1(arm) / name / "answers.jsonl", Generation)
                pool = audit_pool(change, test, base, answers, params.tau_delta, params.audit, params.seed, asked)
                targets = pool_targets(
                    change, test, pool, answers, classifier, params.repair, params.distill, params.seed, asked
                )
                write_jsonl(pools_folder / arm / f"{name}.jsonl", pool)
                write_jsonl(targets_folder / arm / f"{name}.jsonl", targets)
    write_cost(STAGE, *asked.costs)
