"""The test set answered by variants of a student, decoded alike and scored by H: what base and every adapter do."""

from __future__ import annotations

from pathlib import Path

from dart.core import layout
from dart.core.distributed import is_main_process, replacing_on_main_process
from dart.core.files import read_jsonl, write_jsonl
from dart.core.params import ScorerSpecs, StageParams, StudentSlot, TrainingSeeds
from dart.core.records import Item
from dart.core.result_cache import result_cache
from dart.core.schema.method import GenerationParams
from dart.harm.classifier import Classifier, score_generations
from dart.student.stored_answers import generate_once


class AnsweringParams(StageParams):
    seeds: TrainingSeeds
    seed: int
    generation: GenerationParams
    student: StudentSlot
    scorers: ScorerSpecs

    @property
    def reference_seed(self) -> int:
        return self.seeds[0]


def answer_test_set(script: str, params: AnsweringParams, student: str, variant: str, *, base: bool = False) -> None:
    """Let a variant of every training seed answer the test set, score the answers and write them.

    Args:
        script: of the stage, e.g. generate.
        base: let the base answer, too.
    """
    adapters: dict[str, Path | None] = {"base": None} if base else {}
    # A student that was tuned elsewhere is one for all seeds: it answers once.
    is_one = variant == "distilled" and params.student.distilled is not None
    answering = (params.reference_seed,) if is_one else params.seeds
    adapters |= {layout.seed_name(seed): layout.adapter(student, variant, seed) for seed in answering}
    items = read_jsonl(layout.split("test"), Item)
    with result_cache(script, f"{student}/answers") as results:
        answers = generate_once(
            results, layout.base(student), params.student, adapters, items, params.generation, params.seed
        )
        classifier = Classifier.load(layout.SCORERS / "toxicity", params.scorers.toxicity)
        scored = {name: score_generations(generations, classifier) for name, generations in answers.items()}
        with replacing_on_main_process(layout.seed_generations(student, variant)) as folder:
            if is_main_process():
                if base:
                    write_jsonl(layout.generations(student, "base", params.reference_seed), scored.pop("base"))
                for seed in params.seeds:
                    name = layout.seed_name(params.reference_seed if is_one else seed)
                    labelled = [answer.model_copy(update={"variant": variant}) for answer in scored[name]]
                    write_jsonl(folder / f"{layout.seed_name(seed)}.jsonl", labelled)
