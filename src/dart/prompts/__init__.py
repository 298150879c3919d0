"""Every text that is sent to a model: task prompts and policy verbatim from Appendices E and F, the judge's from D.

All functions return chat messages and read nothing but their arguments. `quoted` and the constants of the modules
are for the embedded parties and for tests, which read requests back.
"""

from dart.prompts.classification import distillation, inference, safe_target, short_distillation
from dart.prompts.corrections import explanation_correction, verdict_correction
from dart.prompts.explanation_policy import policy
from dart.prompts.judging import judge, quoted
from dart.prompts.messages import Message, prompt_hash

__all__ = [
    "Message", "distillation", "explanation_correction", "inference", "judge", "policy", "prompt_hash", "quoted",
    "safe_target", "short_distillation", "verdict_correction",
]  # fmt: skip
