"""What a teacher or a judge is told when its answer cannot be used, before it may answer again.

The paper does not publish these re-asks (the published code has two rounds of them). Each names every problem at
once and asks for the whole answer again, because an answer that only mends a part cannot be trained on or parsed.
"""

from __future__ import annotations

from collections.abc import Sequence


def explanation_correction(problems: Sequence[str]) -> str:
    """For the teacher; each problem is a clause about the explanation ("it has 1 sentences, but ...")."""
    listed = "\n".join(f"- {problem}" for problem in problems)
    return (
        f"This explanation cannot be used:\n{listed}\n"
        "Write the whole explanation again, without these problems and without any comment on them, "
        "and finish with the conclusion line."
    )


def verdict_correction(problem: str) -> str:
    """For the judge; the criteria are not touched, only the form or the contradiction is named."""
    return f"This verdict cannot be read: {problem}. Answer again with the one JSON object and nothing else."
