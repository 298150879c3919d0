"""Re-asks for a teacher or a judge whose answer cannot be used.

The paper does not publish its re-asks (the published code has two rounds of them). Each names every problem at
once and asks for the whole answer again, because a partial answer cannot be trained on or parsed.
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
    """For the judge; it names the formal error or the contradiction and leaves the criteria alone."""
    return f"This verdict cannot be read: {problem}. Answer again with the one JSON object and nothing else."
