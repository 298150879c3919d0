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

from dart.chat.usage import token_counts
from dart.core.errors import ChatError

RETRIED_STATUS = frozenset({408, 409, 425, 429})  # and every 5xx
MAX_EXPLANATION = 300  # characters of a server's own words that a message quotes


class Completion(NamedTuple):
    """A well-formed reply; the token counts are 0 where the server does not tell them."""

    text: str
    finish_reason: str | None
    prompt_tokens: int
    completion_tokens: int
    model: str  # the model that the server names (a dated snapshot, say), else the one that was asked for

    @property
    def incomplete_reason(self) -> str | None:
        """Why this is not a complete answer; None if it is one: ended by itself, and not empty."""
        if self.finish_reason == "length":
            return "finish_reason is 'length' (cut at max_tokens)"
        if self.malformed_reason is None and not self.text.strip():
            return "empty content"
        return self.malformed_reason

    @property
    def malformed_reason(self) -> str | None:
        """Why this is not even the text that the model wrote; None if it is, cut or empty as it may be."""
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


def parse_response(status: int, headers: Mapping[str, str], body: bytes, requested_model: str) -> Completion:
    """The completion in one HTTP response.

    Raises:
        TransientError: status 408, 409, 425, 429 or 5xx, or a body that is not the expected JSON (truncated, replaced).
        RefusedError: every other status but 200, and 429 when it means an exhausted balance.
    """
    if status == 200:
        return _parse_completion(body, requested_model)
    explanation, code = _parse_error(body)
    if code == "insufficient_quota":  # OpenAI's 429 for an empty account: waiting does not cure it
        raise RefusedError(402, explanation)
    if status in RETRIED_STATUS or status >= 500:
        raise TransientError(
            f"HTTP {status}: {explanation}", retry_after_s=parse_retry_after(headers), throttled=status == 429
        )
    raise RefusedError(status, explanation)


def _parse_completion(body: bytes, requested_model: str) -> Completion:
    try:
        payload = json.loads(body)
        choice = payload["choices"][0]
        text = choice["message"]["content"]
        finish_reason = choice.get("finish_reason")
        counts = token_counts(payload.get("usage"))
        model = payload.get("model") or requested_model
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):  # any wrong shape
        raise TransientError("HTTP 200 with a truncated or malformed body", maybe_billed=True) from None
    if not (text is None or isinstance(text, str)) or not isinstance(model, str):
        raise TransientError("HTTP 200 with a malformed body", maybe_billed=True)
    return Completion(text or "", None if finish_reason is None else str(finish_reason), *counts, model)


def _parse_error(body: bytes) -> tuple[str, str | None]:
    """The server's own words (shortened) and its error code, from {"error": {...}} or from plain text."""
    try:
        error: Any = json.loads(body)
    except (ValueError, RecursionError):
        error = body.decode("utf-8", errors="replace").strip()
    error = error.get("error", error) if isinstance(error, dict) else error
    if isinstance(error, dict):
        message = error.get("message") or error.get("detail") or json.dumps(error, sort_keys=True)
        return str(message)[:MAX_EXPLANATION], None if error.get("code") is None else str(error["code"])
    return str(error)[:MAX_EXPLANATION] or "no explanation", None


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
