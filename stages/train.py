"""Stage `train@S` (Stage I, Section 2.3): LoRA on the teacher's rationales gives the distilled student."""

from __future__ import annotations

from dart.core import layout
from dart.core.files import read_jsonl
from dart.core.records import Item, Rationale
from dart.distill.rows import distillation_rows
from dart.student.train import train_adapter
from stages.training import TrainingParams


class Params(TrainingParams):
    """Seed, LoRA, training and the slot's model: nothing else decides the distilled adapter."""


def run(student: str) -> None:
    params = Params.load("train", student=student)
    items = {item.id: item for item in read_jsonl(layout.split("train"), Item)}
    rows = distillation_rows(read_jsonl(layout.RATIONALES, Rationale), items)
    train_adapter(
        layout.base(student),
        params.student,
        rows,
        params.lora,
        params.training,
        params.seed,
        out=layout.adapter(student, "distilled"),
    )
