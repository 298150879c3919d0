"""The second pass: the requests of all schemes without repetition, and their answers by scheme (Section 2.6, Table 34).

Schemes agree on most prompts (two-pass and oracle wherever the first pass was right), so their requests are pooled;
a request of the first pass is not repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dart.core.records import Generation, Item
from dart.policy.records import PolicyAnswer
from dart.policy.selection import Choice
from dart.student.generation import GenerationRequest

Key = tuple[str, Choice]  # item id and choice


def pool_choices(items: Sequence[Item], plans: Mapping[str, Sequence[Choice]]) -> list[tuple[Item, Choice]]:
    """All second-pass requests of one student: each (item, choice) once, by choice, items in their order.

    Args:
        plans: by scheme, the choice for every item.
    """
    selected = {choice for plan in plans.values() for choice in plan if not choice.off}
    return [
        (item, choice)
        for choice in sorted(selected, key=str)
        for index, item in enumerate(items)
        if any(plan[index] == choice for plan in plans.values())
    ]


def policy_requests(pool: Sequence[tuple[Item, Choice]]) -> list[GenerationRequest]:
    """The requests of a pool, in its order."""
    return [GenerationRequest(item, choice.messages(item)) for item, choice in pool]


def answers_by_scheme(
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
    answers: dict[Key, Generation] = {
        (item.id, choice): answer for (item, choice), answer in zip(pool, answered, strict=True)
    }
    answers |= {(item.id, Choice(None, False)): answer for item, answer in zip(items, first, strict=True)}
    return {
        scheme: [
            PolicyAnswer(
                **answers[item.id, choice].model_dump(),
                decision=choice.decision,
                harmful_premise=choice.harmful_premise,
            )
            for item, choice in zip(items, plan, strict=True)
        ]
        for scheme, plan in plans.items()
    }
