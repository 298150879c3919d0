"""The rules that a teacher's rationale must keep to be trained on (Section 2.3).

The paper states what the teacher is asked for (2-4 sentences, no repetition of the prompt, a conclusion line that
agrees with the gold label); the rules make each of these checkable. A broken rule is named in words that can be
sent back to the teacher, so that a re-ask says what was wrong.
"""

from __future__ import annotations

import re

from dart.core.records import Label
from dart.core.schema.method import Distill
from dart.distill.sentences import count_sentences
from dart.prompts.answer_format import label_of, parse

_SPACE = re.compile(r"\s+")


def problems(text: str, label: Label | None, prompt: str, rules: Distill) -> list[str]:
    """Every rule that `text` breaks as the rationale of `label`; empty if none.

    Args:
        label: the label that the teacher was told (on the main path the gold one), which its conclusion must state;
            None: it was told none, and its own conclusion stands.
    """
    rationale = parse(text).rationale
    found = _conclusion_problems(text, label)
    sentences = count_sentences(rationale)
    if not rules.min_sentences <= sentences <= rules.max_sentences:
        found.append(
            f"its analysis has {sentences} sentences, but it must have {rules.min_sentences} to {rules.max_sentences}"
        )
    if quotes(rationale, prompt, rules.quote_window):
        found.append(f"it repeats {rules.quote_window} or more consecutive characters of the prompt")
    return found


def quotes(text: str, prompt: str, window: int) -> bool:
    """Whether `text` repeats `window` consecutive characters of `prompt`, however white space and case are changed."""
    ours, theirs = _plain(text), _plain(prompt)
    return any(theirs[start : start + window] in ours for start in range(len(theirs) - window + 1))


def in_form(text: str) -> str:
    """`text` with a decorated conclusion line ("**Conclusion:** YES") in the exact form that the prompts ask for.

    The student learns the form from these lines, so all of them have one. Texts in form are returned unchanged.
    """
    lines = [
        line if (label := label_of(line)) is None else f"Conclusion: {label}" for line in text.strip().splitlines()
    ]
    return "\n".join(lines)


def _conclusion_problems(text: str, label: Label | None) -> list[str]:
    labels = [label_of(line) for line in text.splitlines() if line.strip()]
    stated = [found for found in labels if found is not None]
    if not stated:
        wanted = label or "YES or NO"
        return [f'it does not end with a single line of the form "Conclusion: {wanted}"']
    found = []
    if len(stated) > 1:
        found.append("it has more than one conclusion line")
    if labels[-1] is None:
        found.append("it goes on after its conclusion line")
    if label is not None and stated[-1] != label:
        found.append(f'its conclusion line says "{stated[-1]}", but the gold label is {label}')
    return found


def _plain(text: str) -> str:
    return _SPACE.sub(" ", text).strip().lower()
