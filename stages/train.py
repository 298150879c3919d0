"""Stage `train@S` (Stage I, Section 2.3): LoRA on the teacher's rationales gives the distilled student."""

from __future__ import annotations

from dart import params
from dart.records import Item, Rationale, read_jsonl
from dart.repair.mix import distillation_rows
from dart.student.train import train_adapter
from stages import paths


def run(student: str) -> None:
    given = params.load(f"train@{student}")
    items = {item.id: item for item in read_jsonl(paths.SUITE / "train.jsonl", Item)}
    rows = distillation_rows(read_jsonl(paths.RATIONALES, Rationale), items)
    train_adapter(
        paths.base(student), given.student(student), rows, given.lora, given.training, given.seed,
        out=paths.adapter(student, "distilled"),
    )  # fmt: skip
