"""The test set answered by variants of a student, decoded alike and scored by H: what base and every adapter do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dart.core import layout
from dart.core.distributed import is_main_process
from dart.core.files import read_jsonl, write_jsonl
from dart.core.params import ScorerSpecs, StageParams, StudentSlot
from dart.core.records import Item
from dart.core.schema.method import GenerationParams
from dart.harm.classifier import Classifier, score_generations
from dart.student.generation import generate


class AnsweringParams(StageParams):
    seed: int
    generation: GenerationParams
    student: StudentSlot
    scorers: ScorerSpecs


def answer_test_set(params: AnsweringParams, student: str, adapters: Mapping[str, Path | None]) -> None:
    """Let each variant ({name: adapter, None for base}) answer the test set, score the answers and write them."""
    items = read_jsonl(layout.split("test"), Item)
    answers = generate(layout.base(student), params.student, adapters, items, params.generation, params.seed)
    classifier = Classifier.load(layout.SCORERS / "toxicity", params.scorers.toxicity)
    for variant, generations in answers.items():
        scored = score_generations(generations, classifier)
        if is_main_process():
            write_jsonl(layout.generations(student, variant), scored)
