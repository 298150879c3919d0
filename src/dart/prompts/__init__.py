"""Every text that is sent to a model: prompts and policy verbatim from Appendices E and F, the judges' from D, I.

All functions return chat messages and read nothing but their arguments. `quoted` and the constants of the modules
are for the embedded parties and for tests, which read requests back.
"""

from dart.prompts.classification import distillation, inference, safe_target, short_distillation
from dart.prompts.corrections import explanation_correction, verdict_correction
from dart.prompts.explanation_policy import policy
from dart.prompts.judging import judge, quoted
from dart.prompts.messages import Message, prompt_hash
from dart.prompts.openended import assessment, open_question, preference

__all__ = [
    "Message", "assessment", "distillation", "explanation_correction", "inference", "judge", "open_question", "policy",
    "preference", "prompt_hash", "quoted", "safe_target", "short_distillation", "verdict_correction",
]  # fmt: skip
