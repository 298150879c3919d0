"""Stage `arm_audits`: the judge reads the answers of every arm, and those of the main path at the arms' threshold.

A second judge may read every repaired answer of the main path, screened or not (`arms.reaudit`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dart.core import layout
from dart.core.files import read_jsonl, replacing, write_jsonl
from dart.core.params import TrainingSeeds
from dart.core.records import AuditRecord, Generation, Item
from dart.core.schema.ablations import Arms, Variant, runs
from dart.core.schema.method import Audit
from dart.harm.audit import audit
from dart.harm.screen import SCREEN_ALL
from stages.ablations.asking import JudgesParams, parties
from stages.clients import write_cost

STAGE = "arm_audits"


class Params(JudgesParams):
    seeds: TrainingSeeds
    arms: Arms
    variants: dict[str, Variant]
    audit: Audit


def run() -> None:
    params = Params.load(STAGE)
    items = read_jsonl(layout.split("test"), Item)
    base, repaired = _main_path(params, "base"), _main_path(params, "repaired")
    asked = parties(STAGE, params, params.endpoints(), [])

    def audited(
        reference: list[Generation], answers: list[Generation], tau_delta: float, judge: str
    ) -> list[AuditRecord]:
        return asked.complete(
            audit(items, reference, answers, tau_delta, asked.client(judge), params.audit, params.seed)
        )

    with replacing(layout.arm_audits()) as folder:
        for row, reference, answers in _rows(params, base, repaired):
            write_jsonl(folder / f"{row}.jsonl", audited(reference, answers, params.arms.tau_delta, "judge"))
        if params.arms.reaudit != "none":
            write_jsonl(folder / "reaudit.jsonl", audited(base, repaired, SCREEN_ALL, params.arms.reaudit))
    write_cost(STAGE, *asked.costs)


def _rows(
    params: Params, base: list[Generation], repaired: list[Generation]
) -> Iterator[tuple[str, list[Generation], list[Generation]]]:
    """(row, reference, answers) of everything that is audited."""
    yield "default", base, repaired
    for variant in ("distilled", "control"):
        yield variant, base, _main_path(params, variant)
    for name, (arm, each) in runs(params.variants).items():
        stage1, stage3 = layout.arm_stage1(arm) / name, layout.arm_stage3(arm) / name
        if each.change.again:
            yield name, read_jsonl(stage1 / "reference.jsonl", Generation), _answers(stage1)
        elif not each.change.folds:
            yield name, base, _answers(stage3 if each.repairs else stage1)
            if each.repairs and each.change.trains_stage1:
                yield f"{name}_stage1", base, _answers(stage1)


def _main_path(params: Params, variant: str) -> list[Generation]:
    return read_jsonl(layout.generations(params.arms.student, variant, params.seeds[0]), Generation)


def _answers(folder: Path) -> list[Generation]:
    return read_jsonl(folder / "answers.jsonl", Generation)
