"""The rules that a teacher's rationale must keep to be trained on (Section 2.3).

The paper states what the teacher is asked for (2-4 sentences, no repetition of the prompt, a conclusion line that
agrees with the gold label); the rules make each of these checkable. A broken rule is stated in words that
can be sent back to the teacher, so that a re-ask names the problem.
"""

from __future__ import annotations

import re

from dart.core.records import Label
from dart.core.schema.method import Distill
from dart.distill.sentences import count_sentences
from dart.prompts.answer_format import label_of, parse

_SPACE = re.compile(r"\s+")


# Deviates from the paper: rationale-acceptance - what the prompt asks for is checked, and re-asked for
def problems(text: str, label: Label | None, prompt: str, rules: Distill) -> list[str]:
    """Every rule that `text` breaks as the rationale of `label`; empty if none.

    Args:
        label: the label in the teacher's prompt (on the main path the gold one), which its conclusion must state; None:
            the prompt had none, and any conclusion is accepted.
    """
    rationale = parse(text).rationale
    broken = _conclusion_problems(text, label)
    sentences = count_sentences(rationale)
    if not rules.min_sentences <= sentences <= rules.max_sentences:
        broken.append(
            f"its analysis has {sentences} sentences, but it must have {rules.min_sentences} to {rules.max_sentences}"
        )
    if quotes(rationale, prompt, rules.quote_window):
        broken.append(f"it repeats {rules.quote_window} or more consecutive characters of the prompt")
    return broken


def quotes(text: str, prompt: str, window: int) -> bool:
    """Whether `text` repeats `window` consecutive characters of `prompt`, white space and case apart."""
    text, prompt = _normalised(text), _normalised(prompt)
    return any(prompt[start : start + window] in text for start in range(len(prompt) - window + 1))


def normalise_conclusion(text: str) -> str:
    """`text` with a decorated conclusion line ("**Conclusion:** YES") in the exact form of the prompts.

    The student learns the form from these lines, so all of them must have it. A line in this form stays as it is.
    """
    lines = [
        line if (label := label_of(line)) is None else f"Conclusion: {label}" for line in text.strip().splitlines()
    ]
    return "\n".join(lines)


def _conclusion_problems(text: str, label: Label | None) -> list[str]:
    labels = [label_of(line) for line in text.splitlines() if line.strip()]
    stated = [stated for stated in labels if stated is not None]
    if not stated:
        expected = label or "YES or NO"
        return [f'it does not end with a single line of the form "Conclusion: {expected}"']
    broken = []
    if len(stated) > 1:
        broken.append("it has more than one conclusion line")
    if labels[-1] is None:
        broken.append("it goes on after its conclusion line")
    if label is not None and stated[-1] != label:
        broken.append(f'its conclusion line says "{stated[-1]}", but the gold label is {label}')
    return broken


def _normalised(text: str) -> str:
    return _SPACE.sub(" ", text).strip().lower()
