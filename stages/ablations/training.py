"""What both trainings of an arm declare, and how they start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from dart.core import layout
from dart.core.files import read_jsonl
from dart.core.params import FromParams, FromProfile, ScorerSpecs, StageParams, TrainingSeeds
from dart.core.records import Item, Rationale
from dart.core.result_cache import ResultCache
from dart.core.schema.ablations import Variant
from dart.core.schema.method import GenerationParams, Lora, ToxicityTerm, Training
from dart.core.schema.profile import StudentSpec

if TYPE_CHECKING:
    from dart.ablations.context import ArmContext


class ArmParams(StageParams):
    seed: int
    seeds: TrainingSeeds
    slot: Annotated[str, FromParams("arms.student")]
    variant: Annotated[Variant, FromParams("variants.{key}")]
    lora: Lora
    training: Training
    generation: GenerationParams
    student: Annotated[StudentSpec, FromProfile("students.{arms.student}")]
    scorers: ScorerSpecs


def arm_context(params: ArmParams, results: ResultCache, toxreg: ToxicityTerm | None = None) -> ArmContext:
    """What the trainings of the arm share."""
    # torch and what stands on it take seconds to import, and many arms have nothing to train in one of their stages
    from dart.ablations.context import ArmContext
    from dart.harm.classifier import Classifier

    return ArmContext(
        seed=params.seed,
        training_seed=params.seeds[0],
        student=params.student,
        base=layout.base(params.slot),
        lora=params.lora,
        training=params.training,
        generation=params.generation,
        toxreg=toxreg,
        classifier=Classifier.load(layout.SCORERS / "toxicity", params.scorers.toxicity),
        results=results,
    )


def items_by_id() -> dict[str, Item]:
    """Training and test items."""
    return {item.id: item for name in ("train", "test") for item in read_jsonl(layout.split(name), Item)}


def rationales_of(arm: str, run: str) -> list[Rationale]:
    """The run's own rationales, or the main path's."""
    own = layout.arm_rationales(arm) / f"{run}.jsonl"
    return read_jsonl(own if own.is_file() else layout.RATIONALES, Rationale)
