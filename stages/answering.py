"""The test set answered by one variant, as repaired and control do: decoded and scored like base and distilled."""

from __future__ import annotations

from dart.core import layout
from dart.core.distributed import is_main_process
from dart.core.files import read_jsonl, write_jsonl
from dart.core.params import StageParams
from dart.core.records import Generation, Item
from dart.harm.classifier import Classifier, score_generations
from dart.student.generation import generate


def answer_test_set(given: StageParams, student: str, variant: str) -> None:
    """Let `variant` answer the test set exactly as base and distilled did, score it, and write the answers."""
    answers: dict[str, list[Generation]] = generate(
        layout.base(student), given.student(student), {variant: layout.adapter(student, variant)},
        read_jsonl(layout.SUITE / "test.jsonl", Item), given.generation, given.seed,
    )  # fmt: skip
    classifier = Classifier.load(layout.SCORERS / "toxicity", given.world("scorers")["toxicity"])
    scored = score_generations(answers[variant], classifier)
    if is_main_process():
        write_jsonl(layout.generations(student, variant), scored)
