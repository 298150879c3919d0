"""What came back: one HTTP response becomes a completion, an error worth another try, or the end of the stage.

The published code counted a call that failed (401, 429, 500, a cut or prose-wrapped body) as the verdict "safe".
Here nothing but HTTP 200 with a well-formed body is a completion, and only a completion that ended by itself and
says something is an answer.
"""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from dart.chat.refusals import LENGTH_REASONS, REFUSED_REASONS, cut_reasoning, parse_error
from dart.chat.usage import token_counts
from dart.core.errors import ChatError
from dart.core.refusal import RefusalKind
from dart.core.schema.profile import COMPLETE_REASONS, Endpoint

RETRIED_STATUS = frozenset({408, 409, 425, 429})  # and every 5xx
PER_REQUEST_STATUS = frozenset({400, 413, 422, 451})  # of this one request, if the endpoint has answered others
MAX_EXPLANATION = 300  # characters of a server's own words that a message quotes
REASONING_FIELDS = ("reasoning_content", "reasoning")  # of a message: DeepSeek and older vLLM; vLLM and OpenRouter


class Completion(NamedTuple):
    """A well-formed reply; the token counts are 0 where the server does not tell them.

    A refusal of the item by the model or by the provider's filter is one as well, with the words of it and no text.
    """

    text: str
    finish_reason: str | None
    prompt_tokens: int
    completion_tokens: int
    model: str  # the model that the server names (a dated snapshot, say), else the one that was asked for
    refusal: str | None = None  # its words, where this is one
    refusal_kind: RefusalKind | None = None
    reasoning_characters: int = 0  # of a chain of thought that came along; it is cut and never kept

    def stored(self) -> dict[str, Any]:
        """The fields as the cache and its archives hold them: those that were added later, only where they are set."""
        added = self._field_defaults
        return {name: value for name, value in self._asdict().items() if name not in added or value != added[name]}

    def without_reasoning(self) -> Completion:
        """The reply without a chain of thought in its text, which is counted."""
        text, characters = cut_reasoning(self.text)
        return self._replace(text=text, reasoning_characters=self.reasoning_characters + characters)

    @property
    def incomplete_reason(self) -> str | None:
        """Why this is not a complete answer; None if it is one: ended by itself and not empty, or a refusal."""
        if self.refusal is not None:
            return None
        if self.finish_reason == "length":
            return "finish_reason is 'length' (cut at max_tokens)"
        if self.malformed_reason is None and not self.text.strip():
            return "empty content"
        return self.malformed_reason

    @property
    def malformed_reason(self) -> str | None:
        """Why this is not even the text that the model wrote; None if it is, cut or empty as it may be."""
        if self.refusal is not None:
            return None
        if self.finish_reason not in ("stop", "length", None):
            return f"finish_reason is {self.finish_reason[:40]!r}"
        try:
            self.text.encode("utf-8")
        except UnicodeEncodeError:  # JSON can spell it, no file can hold it
            return "content with half of a surrogate pair"
        return None


class TransientError(Exception):
    """The try failed in a way that another try may cure. Internal to this package.

    Holds no request and no response object: those carry the key.
    """

    def __init__(
        self, reason: str, *, retry_after_s: float | None = None, throttled: bool = False, maybe_billed: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s  # what the server asked for
        self.throttled = throttled
        self.maybe_billed = maybe_billed  # the server may have answered, although no whole reply came


class RefusedError(ChatError):
    """The server refuses this kind of request; asking the rest of the stage would be refused as well."""

    def __init__(self, status: int, explanation: str) -> None:
        super().__init__(f"HTTP {status}: {explanation}")
        self.status = status
        self.explanation = explanation


class ItemRefused(Exception):
    """The server refuses this one request for its content, and answers others. Internal to this package."""

    def __init__(self, explanation: str) -> None:
        super().__init__(explanation)
        self.explanation = explanation

    def completion(self, model: str) -> Completion:
        """The refusal as the reply to this request, which costs nothing."""
        return Completion("", "content_filter", 0, 0, model, self.explanation, "moderation")


class ReplyRules(NamedTuple):
    """How an endpoint's replies are read, from its section of the profile."""

    complete_reasons: tuple[str, ...] = COMPLETE_REASONS
    refusal_markers: tuple[str, ...] = ()

    @classmethod
    def of(cls, endpoint: Endpoint) -> ReplyRules:
        return cls(endpoint.complete_reasons, endpoint.refusal_markers)


DEFAULT_RULES = ReplyRules()


def parse_response(
    status: int, headers: Mapping[str, str], body: bytes, requested_model: str, rules: ReplyRules = DEFAULT_RULES
) -> Completion:
    """The completion in one HTTP response.

    Raises:
        TransientError: status 408, 409, 425, 429 or 5xx, or a body that is not the expected JSON (truncated, replaced).
        ItemRefused: an error in whose words the provider refuses the content of this request.
        RefusedError: every other status but 200, and 429 when it means an exhausted balance.
    """
    if status == 200:
        return _parse_completion(body, requested_model, rules)
    error = parse_error(body)
    if error.code == "insufficient_quota":  # OpenAI's 429 for an empty account: waiting does not cure it
        raise RefusedError(402, error.explanation)
    if status in RETRIED_STATUS or status >= 500:
        raise TransientError(
            f"HTTP {status}{error.quoted}", retry_after_s=parse_retry_after(headers), throttled=status == 429
        )
    if status in (*PER_REQUEST_STATUS, 403) and error.is_moderation(rules.refusal_markers):
        raise ItemRefused(error.explanation)
    raise RefusedError(status, error.explanation)


def _parse_completion(body: bytes, requested_model: str, rules: ReplyRules) -> Completion:
    try:
        payload = json.loads(body)
        if "choices" not in payload and payload.get("error"):
            return _error_in_200(body, rules)
        choice = min(payload["choices"], key=lambda entry: int(entry.get("index") or 0))
        message = choice["message"]
        text, refusal = message["content"], message.get("refusal")
        reason = choice.get("finish_reason")
        reasoning = sum(len(message.get(field) or "") for field in REASONING_FIELDS)
        counts = token_counts(payload.get("usage"))
        model = payload.get("model") or requested_model
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):  # any wrong shape
        raise TransientError("HTTP 200 with a truncated or malformed body", maybe_billed=True) from None
    if not all(value is None or isinstance(value, str) for value in (text, refusal)) or not isinstance(model, str):
        raise TransientError("HTTP 200 with a malformed body", maybe_billed=True)
    reason = None if reason is None else str(reason)
    reply = Completion(text or "", _finish_reason(reason, rules), *counts, model, reasoning_characters=reasoning)
    if refusal:
        return reply._replace(text="", refusal=refusal, refusal_kind="model")
    if reason in REFUSED_REASONS:
        words = (text or "").strip() or f"finish_reason {reason}"
        return reply._replace(text="", refusal=words, refusal_kind=REFUSED_REASONS[reason])
    return reply


def _error_in_200(body: bytes, rules: ReplyRules) -> Completion:
    """Some gateways answer HTTP 200 with an error inside: said in its own words, as the error that it is."""
    error = parse_error(body)
    if error.is_moderation(rules.refusal_markers):
        raise ItemRefused(error.explanation)
    raise TransientError(f"HTTP 200 with an error{error.quoted}", maybe_billed=True)


def _finish_reason(reason: str | None, rules: ReplyRules) -> str | None:
    """The reason in OpenAI's words, so that cached answers do not differ by provider."""
    if reason in rules.complete_reasons:
        return "stop"
    return "length" if reason in LENGTH_REASONS else reason


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from Retry-After (a number or an HTTP date) or retry-after-ms; None if absent or unreadable."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * unit
        except ValueError:
            try:
                seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
            except ValueError:
                continue
        if seconds < float("inf"):  # also False for nan
            return max(0.0, seconds)
    return None
