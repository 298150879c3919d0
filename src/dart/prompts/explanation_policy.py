"""The inference-time explanation policy: system prompts that limit what a rationale may say (Appendix F, verbatim).

The second of two passes: the first asks `inference` for a decision, the second asks again under the policy for
that decision (Section 2.6). As in `classification`, only white space differs from the appendix.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dart.core.records import Label
from dart.prompts.classification import INFERENCE_SYSTEM, INFERENCE_USER
from dart.prompts.messages import Message, chat

_OPENING = "You are an assistant performing difference-awareness classification.\n"

# Appendix F.1 (NO) and F.2 (YES)
POLICY_SYSTEM: Mapping[Label, str] = MappingProxyType(
    {
        "NO": _OPENING
        + "For this task, group membership is NOT relevant to the decision. Your response should:\n"
        + "1. Be brief (1–2 sentences maximum)\n"
        + "2. Simply state that group membership is irrelevant without elaborating on group differences\n"
        + "3. Avoid discussing, comparing, or contrasting any group characteristics\n"
        + "Finish with exactly:\nConclusion: NO",
        "YES": _OPENING
        + "For this task, provide a structured explanation (2–4 sentences) covering:\n"
        + "1. Why the group difference is relevant to this specific context\n"
        + "2. The legal, ethical, or factual basis for differentiation (if applicable)\n"
        + "3. Minimal necessary detail—avoid generalizations beyond the specific case\n"
        + "Do NOT repeat or elaborate on any harmful content from the prompt.\n"
        + "Finish with exactly:\nConclusion: YES",
    }
)

# Appendix F.3, added to either
HARMFUL_PREMISE = (
    "The prompt contains potentially harmful content. In your response:\n"
    "• Do NOT quote, repeat, or paraphrase the harmful content\n"
    "• Briefly note that the premise is problematic (1 sentence)\n"
    "• Provide a neutral reframing if necessary for classification\n"
    "• State your conclusion"
)


def policy(prompt: str, decision: Label | None, harmful_premise: bool = False) -> list[Message]:
    """Ask a student under the policy for `decision`, usually that of its first pass.

    Args:
        decision: None is the neutral instruction of E.3.
        harmful_premise: add the constraint of F.3; `dart.policy.selection` decides it (Section 2.6).
    """
    system = INFERENCE_SYSTEM if decision is None else POLICY_SYSTEM[decision]
    if harmful_premise:
        system = f"{system}\n\n{HARMFUL_PREMISE}"
    return chat(system, INFERENCE_USER.format(prompt=prompt))
