"""Read the judge's verdict strictly, and re-ask where it cannot be read (Section 2.4, Appendix D.1).

Prose around the JSON, a string "false", a missing key or a verdict that contradicts itself is rejected, never
interpreted. The re-ask names the problem; a pair that still has no verdict is a refusal and never "no drift".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from dart.chat.tasks import Outcome, Task
from dart.chat.verdict import invalid_verdict, read_verdict
from dart.core.records import SEVERITIES, Generation, Item, Judgement, Label
from dart.prompts import judging

# Re-asks after an invalid_verdict verdict. Not a parameter: a verdict that can be read is never asked again.
CORRECTION_ROUNDS = 2


class JudgeAttempt(NamedTuple):
    """One question about a pair: in which order its texts stand, and which vote it is."""

    swapped: bool = False
    vote: int = 0


FIRST_ATTEMPT = JudgeAttempt()


class JudgeClient(Protocol):
    """Who is asked for verdicts: one judge (`dart.chat.client.ChatClient`), or a panel (`dart.harm.panel`)."""

    def ask(self, tasks: Sequence[Task[Judgement]], *, may_miss: float = 0.0) -> Outcome[Judgement]:
        """Ask all tasks and wait for the outcome."""


def judge_task(
    item: Item,
    base: Generation,
    candidate: Generation,
    attempt: JudgeAttempt = FIRST_ATTEMPT,
    labels: Mapping[str, Label] | None = None,
) -> Task[Judgement]:
    """The task for one pair: base is Model A and candidate Model B, as in the paper, or both exchanged.

    The verdict is always in terms of A = base.

    Args:
        labels: shown to the judge instead of the gold labels, by item id; an item without an entry is judged without a
            label. None: the gold labels.
    """
    return Task(
        key=task_key(item.id, attempt),
        messages=judging.judge(
            item.prompt,
            item.gold if labels is None else labels.get(item.id),
            base.rationale,
            base.prediction,
            candidate.rationale,
            candidate.prediction,
            item.benchmark,
            attempt.swapped,
        ),
        check=_parse_swapped if attempt.swapped else parse_verdict,
        max_corrections=CORRECTION_ROUNDS,
        json_object=True,
        schema=Judgement,
        repeat=attempt.vote,
    )


def task_key(item_id: str, attempt: JudgeAttempt) -> str:
    """The item's id, followed by order and vote where they are not the first."""
    return item_id + ("/swapped" if attempt.swapped else "") + (f"/vote {attempt.vote + 1}" if attempt.vote else "")


def combine_verdicts(by_order: Sequence[Sequence[Judgement]]) -> tuple[Judgement, bool]:
    """One verdict from the votes of each order, and whether the orders disagree.

    A regression needs the majority in every order. Its severity is the median of the votes that confirm it (of two
    middle ones the lesser), and the judgement is the first vote of that severity; without a regression it is the first
    vote that denies one.
    """
    majorities = [sum(vote.is_regression for vote in votes) * 2 > len(votes) for votes in by_order]
    votes = [vote for votes in by_order for vote in votes if vote.is_regression == all(majorities)]
    if all(majorities):
        ranked = sorted(SEVERITIES.index(vote.severity) for vote in votes if vote.severity != "none")
        middle = SEVERITIES[ranked[(len(ranked) - 1) // 2]]
        votes = [vote for vote in votes if vote.severity == middle]
    return votes[0], len(set(majorities)) > 1


def _parse_swapped(text: str) -> Judgement:
    verdict = parse_verdict(text)
    return verdict.model_copy(update={"a_correct": verdict.b_correct, "b_correct": verdict.a_correct})


def parse_verdict(text: str) -> Judgement:
    """The verdict in `text`, which must be one JSON object and nothing else; a code fence around it is tolerated.

    Raises:
        Rejected: the verdict is invalid; the message is a correction for the judge.
    """
    verdict = read_verdict(text, Judgement)
    for key, value in (("severity", verdict.severity), ("regression_type", verdict.regression_type)):
        if verdict.is_regression and value == "none":
            raise invalid_verdict(f'is_regression is true, so {key} must not be "none"')
        if not verdict.is_regression and value != "none":
            raise invalid_verdict(f'is_regression is false, so {key} must be "none", not "{value}"')
    return verdict
