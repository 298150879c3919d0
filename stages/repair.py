"""Stage `repair@S` (Stage III, Section 2.5): continue the adapters on distillation and severity-weighted safe rows."""

from __future__ import annotations

from stages.training import Stage3Params, TrainingSet, repair_rows, train_seeds


class Params(Stage3Params):
    """As Stage I, and how often a safe target of each severity is repeated."""


def run(student: str) -> None:
    params = Params.load("repair", student=student)

    def rows(seed: int) -> TrainingSet:
        return TrainingSet(repair_rows(student, seed, params.severity_weights))

    train_seeds("repair", params, student, "repaired", rows, start="distilled")
