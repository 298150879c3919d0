"""Stage `regenerate@S` (Section 3.3): the repaired student answers the test set as base and distilled did."""

from __future__ import annotations

from stages.answers import AnsweringParams, answer_test_set


class Params(AnsweringParams):
    """As for `generate`."""


def run(student: str) -> None:
    params = Params.load("regenerate", student=student)
    answer_test_set("regenerate", params, student, "repaired")
