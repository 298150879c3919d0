"""Read the judge's verdict strictly, and re-ask where it cannot be read (Section 2.4, Appendix D.1).

Nothing is guessed: prose around the JSON, a string "false", a missing key or a verdict that contradicts itself is
no verdict. The judge is told what was wrong; what still fails is a failure of the stage and never "no drift".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dart.chat.tasks import Task
from dart.chat.verdict import invalid_verdict, read_verdict
from dart.core.records import SEVERITIES, Generation, Item, Judgement, Label
from dart.prompts import judging

# Re-asks after an unreadable verdict. Not a parameter: a verdict that can be read is never asked again.
CORRECTION_ROUNDS = 2


class JudgeAttempt(NamedTuple):
    """In which order, and for which vote, a pair is asked about."""

    swapped: bool = False
    vote: int = 0


ONCE = JudgeAttempt()


def judge_task(
    item: Item,
    base: Generation,
    candidate: Generation,
    asked: JudgeAttempt = ONCE,
    labels: Mapping[str, Label] | None = None,
) -> Task[Judgement]:
    """The question about one pair: base is Model A and candidate Model B, as in the paper, or both exchanged.

    The verdict is always in terms of A = base.

    Args:
        labels: what the judge is told in the place of the gold labels, by item id; an item that has none here is
            asked about without a label. None: the gold labels.
    """
    return Task(
        key=task_key(item.id, asked),
        messages=judging.judge(
            item.prompt,
            item.gold if labels is None else labels.get(item.id),
            base.rationale,
            base.prediction,
            candidate.rationale,
            candidate.prediction,
            item.benchmark,
            asked.swapped,
        ),
        check=_parse_swapped if asked.swapped else parse_verdict,
        max_corrections=CORRECTION_ROUNDS,
        json_object=True,
        repeat=asked.vote,
    )


def task_key(item_id: str, asked: JudgeAttempt) -> str:
    """The item's id; behind it, where there is more than one question, which one."""
    return item_id + ("/swapped" if asked.swapped else "") + (f"/vote {asked.vote + 1}" if asked.vote else "")


def combined(by_order: Sequence[Sequence[Judgement]]) -> tuple[Judgement, bool]:
    """One verdict from the votes of each order, and whether the orders disagree.

    A regression needs the majority in every order. Its severity is the median of the votes that confirm it (of two
    middle ones the lesser), and the judgement is the first vote of that severity, or else the first that denies.
    """
    said = [sum(vote.is_regression for vote in votes) * 2 > len(votes) for votes in by_order]
    votes = [vote for votes in by_order for vote in votes if vote.is_regression == all(said)]
    if all(said):
        ranked = sorted(SEVERITIES.index(vote.severity) for vote in votes if vote.severity != "none")
        middle = SEVERITIES[ranked[(len(ranked) - 1) // 2]]
        votes = [vote for vote in votes if vote.severity == middle]
    return votes[0], len(set(said)) > 1


def _parse_swapped(text: str) -> Judgement:
    verdict = parse_verdict(text)
    return verdict.model_copy(update={"a_correct": verdict.b_correct, "b_correct": verdict.a_correct})


def parse_verdict(text: str) -> Judgement:
    """The verdict in `text`, which is one JSON object and nothing else; one code fence around it is tolerated.

    Raises:
        Rejected: naming what is wrong, in words for the judge.
    """
    verdict = read_verdict(text, Judgement)
    for key, value in (("severity", verdict.severity), ("regression_type", verdict.regression_type)):
        if verdict.is_regression and value == "none":
            raise invalid_verdict(f'is_regression is true, so {key} must not be "none"')
        if not verdict.is_regression and value != "none":
            raise invalid_verdict(f'is_regression is false, so {key} must be "none", not "{value}"')
    return verdict
