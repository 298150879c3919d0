"""Stage `control@S`: the same extra steps without repair rows, answered alike; what repair has to beat.

Not in the paper: without it, a drop in drift could be the effect of further training alone.
"""

from __future__ import annotations

from dart.core.schema.method import Lora, Objectives, SeverityWeights, Training
from stages.answers import AnsweringParams, answer_test_set
from stages.training import RepairRecipe, TrainingSet, control_rows, train_seeds


class Params(AnsweringParams):
    lora: Lora
    training: Training
    severity_weights: SeverityWeights  # with the recipe, they decide how many steps repair takes
    recipe: RepairRecipe
    objectives: Objectives  # in control and repair alike


def run(student: str) -> None:
    params = Params.load("control", student=student)

    def rows(seed: int) -> TrainingSet:
        return control_rows(student, seed, params)

    train_seeds("control", params, student, "control", rows, start="distilled")
    answer_test_set("control", params, student, "control")
