"""What servers say when they refuse one item: error bodies, finish reasons, and chains of thought in the text.

A refusal of one prompt is a result about this prompt; a refusal of the endpoint (a wrong key, model or field) ends the
stage. Which is which stands in the error's code or words, and each provider has its own: they are listed here, and an
endpoint's `refusal_markers` add to them. Looked up on 2026-11-21 in stored copies of the sources named beside them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from dart.core.refusal import RefusalKind

MAX_WORDS = 4000  # characters of an error that are read; what is quoted is cut after the key has been taken out

# Codes and words of errors that refuse the content of one request; compared in lower case.
MODERATION_MARKERS = (
    "content exists risk",  # DeepSeek: deepseek-ai/awesome-deepseek-integration#13
    "content_filter",  # Azure: code of HTTP 400, learn.microsoft.com/answers/questions/5896505
    "responsibleaipolicyviolation",  # Azure: inner code of the same
    "content management policy",  # Azure: its words
    "content_policy_violation",  # OpenAI
    "violating our usage policy",  # OpenAI, reasoning models, code invalid_prompt (from memory, not verified)
    "data_inspection_failed",  # Alibaba Model Studio (from memory, not verified)
    "flagged_input",  # OpenRouter, metadata of HTTP 403 (from memory, not verified)
    "requires moderation",  # OpenRouter, HTTP 403 (from memory, not verified)
    "input may contain inappropriate content",  # Alibaba Model Studio (from memory, not verified)
    "blocked by content filtering policy",  # Anthropic (from memory, not verified)
)
# Finish reasons of an answer that the model or a filter withheld.
REFUSED_REASONS: Mapping[str | None, RefusalKind] = MappingProxyType(
    {
        "content_filter": "moderation",  # OpenAI, Azure, DeepSeek
        "safety": "moderation",  # Gemini through gateways
        "prohibited_content": "moderation",
        "blocklist": "moderation",
        "sensitive": "moderation",  # Zhipu
        "refusal": "model",  # Anthropic's stop reason
    }
)
LENGTH_REASONS = frozenset({"length", "max_tokens", "model_context_window_exceeded"})

# Chat templates may put the opening tag into the prompt (DeepSeek R1, Qwen): then only its end is here.
_HEADLESS = re.compile(r"\A(?:(?!<think(?:ing)?>).)*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_BLOCK = re.compile(r"<(think|thinking)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)


class ErrorWords(NamedTuple):
    """What an error body says."""

    explanation: str  # the server's own words; the key may be in them
    code: str | None
    whole: str  # everything, in which a marker may stand

    @property
    def quoted(self) -> str:
        """A colon and the words, to end a message with; nothing where there are none."""
        return f": {self.explanation}" if self.explanation != NO_EXPLANATION else ""

    def is_moderation(self, markers: Sequence[str] = ()) -> bool:
        """Whether it refuses the content of this request."""
        whole = self.whole.lower()
        return any(marker.lower() in whole for marker in (*MODERATION_MARKERS, *markers))


NO_EXPLANATION = "no explanation"


def parse_error(body: bytes) -> ErrorWords:
    """The server's own words and its code, from {"error": {...}} or from plain text."""
    whole = body[: 4 * MAX_WORDS].decode("utf-8", errors="replace").strip()
    try:
        error: Any = json.loads(body)
    except (ValueError, RecursionError):  # also a body that is nested too deeply
        return ErrorWords(whole[:MAX_WORDS] or NO_EXPLANATION, None, whole)
    error = error.get("error", error) if isinstance(error, dict) else error
    if not isinstance(error, dict):
        return ErrorWords(str(error)[:MAX_WORDS] or NO_EXPLANATION, None, whole)
    message = error.get("message") or error.get("detail") or json.dumps(error, sort_keys=True)
    return ErrorWords(str(message)[:MAX_WORDS], None if error.get("code") is None else str(error["code"]), whole)


def cut_reasoning(text: str) -> tuple[str, int]:
    """`text` without its chain of thought, and the characters that were cut.

    A block that never ends (the answer was cut at its limit) leaves nothing: there is no answer behind it.
    """
    if "think" not in text.lower():
        return text, 0
    kept = _BLOCK.sub("", _HEADLESS.sub("", text, count=1))
    return (kept.strip(), len(text) - len(kept)) if kept != text else (text, 0)
