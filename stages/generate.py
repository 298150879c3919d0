"""Stage `generate@S` (Stage II, Section 2.4): base and distilled answer the test set, decoded identically."""

from __future__ import annotations

from dart.core import layout, params
from dart.core.distributed import is_main_process
from dart.core.files import read_jsonl, write_jsonl
from dart.core.records import Item
from dart.harm.classifier import Classifier, score_generations
from dart.student.generation import generate


def run(student: str) -> None:
    given = params.load(f"generate@{student}")
    items = read_jsonl(layout.SUITE / "test.jsonl", Item)
    adapters = {"base": None, "distilled": layout.adapter(student, "distilled")}
    answers = generate(
        layout.base(student), given.student(student), adapters, items, given.generation, given.seed
    )  # fmt: skip
    classifier = Classifier.load(layout.SCORERS / "toxicity", given.world("scorers")["toxicity"])
    for variant, generations in answers.items():
        scored = score_generations(generations, classifier)
        if is_main_process():
            write_jsonl(layout.generations(student, variant), scored)
