"""Stage `train@S` (Stage I, Section 2.3): LoRA on the teacher's rationales gives the distilled student of each seed."""

from __future__ import annotations

from stages.training import TrainingParams, TrainingSet, stage1_rows, train_seeds


class Params(TrainingParams):
    """Training seeds, LoRA, training and the slot's model: nothing else decides the distilled adapters."""


def run(student: str) -> None:
    params = Params.load("train", student=student)
    rows = stage1_rows()
    train_seeds("train", params, student, "distilled", lambda seed: TrainingSet(rows))
