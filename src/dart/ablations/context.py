"""Training and answering as every arm does them: as on the main path, with what the arm changes (Appendices K, M).

Adapters and answers are stored by what decides them: points of an arm whose rows are the same train once, and an arm
that was killed goes on with what it had trained and answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dart.core import hub
from dart.core.records import Generation, Item, TrainingRow
from dart.core.result_cache import ResultCache
from dart.core.schema.method import GenerationParams, Lora, ToxicityTerm, Training
from dart.core.schema.profile import StudentSpec
from dart.harm.classifier import Classifier, score_generations
from dart.student import adapter
from dart.student.stored_answers import generate_once
from dart.student.toxicity import ToxicityRegulariser
from dart.student.train import train_adapter


class ArmContext(NamedTuple):
    """Everything of the main path that the trainings of an arm share."""

    seed: int  # of draws other than training's
    training_seed: int  # the main path's reference seed
    student: StudentSpec
    base: Path  # the student's checkpoint or pin
    lora: Lora
    training: Training
    generation: GenerationParams
    toxreg: ToxicityTerm | None  # None where no arm is regularised
    classifier: Classifier
    results: ResultCache  # of the arm's stage

    def answers(
        self, adapter_dir: Path | None, items: Sequence[Item], decoding: GenerationParams | None = None, draw: int = 0
    ) -> list[Generation]:
        """`items` answered with an adapter (None: by base) and scored; decoded as on the main path, unless told.

        Args:
            draw: which of several independent samples, with a temperature above 0.
        """
        name = "arm" if adapter_dir else "base"
        adapters = {name: adapter_dir}
        answers = generate_once(
            self.results, self.base, self.student, adapters, items, decoding or self.generation, self.seed + draw
        )
        return score_generations(answers[name], self.classifier)

    def train(
        self,
        rows: Sequence[TrainingRow],
        start: Path | None = None,
        lora: Lora | None = None,
        toxicity_weight: float | None = None,
    ) -> Path:
        """An adapter trained on `rows` as the recipe says, with the reference seed.

        Args:
            start: the adapter to continue; None: anew.
            lora: another rank than the recipe's.
            toxicity_weight: lambda of toxicity-regularised fine-tuning; None: without.
        """
        chosen = lora or self.lora
        regulariser = None
        if toxicity_weight is not None and self.toxreg is not None:
            regulariser = ToxicityRegulariser(self.classifier, toxicity_weight, self.toxreg, self.training_seed)

        def train(out: Path) -> None:
            train_adapter(
                self.base,
                self.student,
                rows,
                chosen,
                self.training,
                self.training_seed,
                out,
                start_from=start,
                regulariser=regulariser,
            )

        return self.results.result(
            train,
            hub.resolve(adapter.base_of(start, self.base)),
            [row.model_dump() for row in rows],
            chosen.model_dump(),
            self.training.model_dump(),
            self.student.model_dump(),
            self.training_seed,
            adapter.fingerprint(start) if start else None,
            None if regulariser is None else (toxicity_weight, self.toxreg, self.classifier.source),
        )
