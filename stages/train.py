"""Stage `train@S` (Stage I, Section 2.3): LoRA on the teacher's rationales gives the distilled student of each seed.

Where the slot names a student that is tuned already, nothing is trained: it is the distilled one of all seeds.
"""

from __future__ import annotations

from typing import Annotated

from dart.core import layout
from dart.core.distributed import is_main_process, replacing_on_main_process
from dart.core.params import FromProfile
from dart.core.schema.profile import DistilledStudent
from dart.student.tuned_student import write_distilled
from stages.training import TrainingParams, TrainingSet, stage1_rows, train_seeds


class Params(TrainingParams):
    """Training seeds, LoRA, training and the slot's model: nothing else decides the distilled adapters."""

    distilled: Annotated[DistilledStudent | None, FromProfile("students.{student}.distilled")]


def run(student: str) -> None:
    params = Params.load("train", student=student)
    tuned = params.distilled
    if tuned is None:
        rows = stage1_rows()
        train_seeds("train", params, student, "distilled", lambda seed: TrainingSet(rows))
        return
    with replacing_on_main_process(layout.adapters(student, "distilled")) as folder:
        if is_main_process():
            names = {seed: layout.seed_name(seed) for seed in params.seeds}
            write_distilled(tuned, layout.base(student), params.student, params.lora, names, folder)
