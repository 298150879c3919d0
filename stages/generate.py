"""Stage `generate@S` (Stage II, Section 2.4): base and distilled answer the test set, decoded identically."""

from __future__ import annotations

from stages.answers import AnsweringParams, answer_test_set


class Params(AnsweringParams):
    """Training seeds, seed, decoding, the slot's model and the classifier."""


def run(student: str) -> None:
    params = Params.load("generate", student=student)
    answer_test_set("generate", params, student, "distilled", base=True)
