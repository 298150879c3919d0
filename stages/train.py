"""Stage `train@S` (Stage I, Section 2.3): LoRA on the teacher's rationales gives the distilled student."""

from __future__ import annotations

from dart.core import layout, params
from dart.core.files import read_jsonl
from dart.core.records import Item, Rationale
from dart.distill.rows import distillation_rows
from dart.student.train import train_adapter


def run(student: str) -> None:
    given = params.load(f"train@{student}")
    items = {item.id: item for item in read_jsonl(layout.SUITE / "train.jsonl", Item)}
    rows = distillation_rows(read_jsonl(layout.RATIONALES, Rationale), items)
    train_adapter(
        layout.base(student), given.student(student), rows, given.lora, given.training, given.seed,
        out=layout.adapter(student, "distilled"),
    )  # fmt: skip
