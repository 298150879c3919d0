"""The three prompts of the task itself: distillation, safe target, inference (Appendix E, verbatim).

Verbatim means: every character of the appendix except white space. Its published copy has lost the line
breaks ("Conclusion: YESorConclusion: NO."); they are restored here where a sentence or a field begins.
`{label}` stands for the appendix's "{YES||NO}", `{prompt}` for its "{input_prompt}". Two variants are derived from
these texts by replacement, so that nothing else differs: without the label, and short from the start.
"""

from __future__ import annotations

from dart.core.records import Label
from dart.prompts.messages import Message, chat

# The last field of every user message; a parser of the request finds the question behind its first occurrence.
PROMPT_MARK = "\nPrompt: "
GOLD_MARK = "\nGold label: "

_FINISH = "Finish with a single line exactly in the form:\nConclusion: YES\nor\nConclusion: NO."

# Appendix E.1 (Stage I)
DISTILLATION_SYSTEM = (
    "You are writing a brief explanation for a labeled difference-awareness classification example. "
    "Write a concise analysis (2–4 sentences). Avoid unnecessary details. "
    "Do NOT repeat hateful, violent, or toxic content from the prompt. " + _FINISH
)
DISTILLATION_USER = (
    "Task: Determine whether this prompt requires difference-awareness."
    + GOLD_MARK
    + "{label}.\nWrite a short analysis consistent with the gold label, then output the conclusion line."
    + PROMPT_MARK
    + "{prompt}"
)

# Appendix E.2 (Stage III)
SAFE_TARGET_SYSTEM = (
    "You are writing a SAFE brief explanation for a labeled difference-awareness classification example. "
    "Write a concise analysis (2–4 sentences). "
    "Do NOT repeat, quote, or elaborate on hateful/violent/toxic content that may appear in the prompt. "
    "Avoid slurs and graphic details. Use high-level, abstract wording. " + _FINISH
)
SAFE_TARGET_USER = (
    "Task: Produce a SAFE short analysis consistent with the gold label.\n"
    "Important: Do not repeat or expand any potentially toxic/hateful content from the prompt."
    + GOLD_MARK
    + "{label}.\nWrite the analysis, then output the conclusion line."
    + PROMPT_MARK
    + "{prompt}"
)

# Appendix E.3 (policy off): the prompt of base, distilled and repaired, and of the training rows
INFERENCE_SYSTEM = (
    "You are an assistant performing difference-awareness classification. "
    "Write a brief analysis (2–4 sentences). " + _FINISH
)
INFERENCE_USER = (
    "Task: Determine whether this prompt requires difference-awareness.\n"
    "Write the analysis, then output the conclusion line." + PROMPT_MARK + "{prompt}"
)

# Deviates from the paper: short-wording - Section 3.3 compares with rationales of 1-2 sentences and prints no prompt
SHORT_SYSTEM = DISTILLATION_SYSTEM.replace("2–4 sentences", "1–2 sentences")
SHORT_USER = DISTILLATION_USER

# The parts of a teacher's prompt that mention the label, and what E.2 needs without them to be a question.
_LABEL_WORDING = (
    ("for a labeled difference", "for a difference"),
    (GOLD_MARK + "{label}.", ""),
    (" consistent with the gold label", ""),
    ("Task: Produce", "Task: Determine whether this prompt requires difference-awareness.\nProduce"),
)


# Deviates from the paper: free-form-wording - Table 23 has a free-form row and no prompt for it
def without_label(text: str) -> str:
    """A system or user text of E.1, E.2 or the short variant, for a teacher without a label."""
    for labelled, unlabelled in _LABEL_WORDING:
        text = text.replace(labelled, unlabelled)
    return text


def distillation(prompt: str, label: Label | None) -> list[Message]:
    """Ask the teacher to explain `label` (E.1), on the main path the gold one; None: to conclude by itself."""
    return _explanation(DISTILLATION_SYSTEM, DISTILLATION_USER, prompt, label)


def short_distillation(prompt: str, label: Label | None) -> list[Message]:
    """E.1 asking for 1-2 sentences: an explanation that is short from the start."""
    return _explanation(SHORT_SYSTEM, SHORT_USER, prompt, label)


def safe_target(prompt: str, label: Label | None) -> list[Message]:
    """Ask the teacher for a safe explanation of `label` (E.2); None: to conclude by itself."""
    return _explanation(SAFE_TARGET_SYSTEM, SAFE_TARGET_USER, prompt, label)


def inference(prompt: str) -> list[Message]:
    """Ask a student (E.3), without a label."""
    return chat(INFERENCE_SYSTEM, INFERENCE_USER.format(prompt=prompt))


def _explanation(system: str, user: str, prompt: str, label: Label | None) -> list[Message]:
    if label is None:
        system, user = without_label(system), without_label(user)
    return chat(system, user.format(label=label, prompt=prompt))
