"""The second pass: every question that some scheme asks, asked once, and each scheme's answers put together again.

Schemes agree on most prompts (two-pass and oracle wherever the first pass was right), so their questions are pooled;
what the first pass has answered is not asked again. Section 2.6, Table 34.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dart.core.records import Generation, Item
from dart.policy.records import PolicyAnswer
from dart.policy.selection import Choice
from dart.student.generation import Question

Key = tuple[str, Choice]


def pooled(items: Sequence[Item], plans: Mapping[str, Sequence[Choice]]) -> list[tuple[Item, Choice]]:
    """What has to be asked for all plans of one student: each (item, choice) once, by choice, items in their order."""
    wanted = {choice for plan in plans.values() for choice in plan if not choice.off}
    return [
        (item, choice)
        for choice in sorted(wanted, key=str)
        for place, item in enumerate(items)
        if any(plan[place] == choice for plan in plans.values())
    ]


def questions(pool: Sequence[tuple[Item, Choice]]) -> list[Question]:
    """The messages of a pool."""
    return [Question(item, choice.messages(item)) for item, choice in pool]


def assembled(
    items: Sequence[Item],
    plans: Mapping[str, Sequence[Choice]],
    first: Sequence[Generation],
    pool: Sequence[tuple[Item, Choice]],
    answered: Sequence[Generation],
) -> dict[str, list[PolicyAnswer]]:
    """{scheme: its answer to every item, in item order}.

    Args:
        first: the first pass, in item order.
        answered: scored answers to `pool`, in its order.
    """
    known: dict[Key, Generation] = {
        (item.id, choice): answer for (item, choice), answer in zip(pool, answered, strict=True)
    }
    known |= {(item.id, Choice(None, False)): answer for item, answer in zip(items, first, strict=True)}
    return {
        scheme: [
            PolicyAnswer(
                **known[item.id, choice].model_dump(),
                decision=choice.decision,
                harmful_premise=choice.harmful_premise,
            )
            for item, choice in zip(items, plan, strict=True)
        ]
        for scheme, plan in plans.items()
    }
