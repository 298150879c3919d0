"""What came back: one HTTP response becomes a completion, a fault worth another try, or the end of the stage.

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

from dart.core.errors import ChatError

RETRIED_STATUS = frozenset({408, 409, 425, 429})  # and every 5xx
SHOWN = 300  # characters of a server's explanation that are worth showing


class Completion(NamedTuple):
    """A well-formed reply; the token counts are 0 where the server does not tell them."""

    text: str
    finish_reason: str | None
    prompt_tokens: int
    completion_tokens: int
    model: str  # the model that the server names (a dated snapshot, say), else the one that was asked for

    @property
    def fault(self) -> str | None:
        """Why this is no answer; None if it is one: ended by itself, and not empty."""
        if self.finish_reason == "length":
            return "finish_reason is 'length' (cut at max_tokens)"
        if self.broken is None and not self.text.strip():
            return "empty content"
        return self.broken

    @property
    def broken(self) -> str | None:
        """Why this is not even the text that the model wrote; None if it is, cut or empty as it may be."""
        if self.finish_reason not in ("stop", "length", None):
            return f"finish_reason is {self.finish_reason[:40]!r}"
        try:
            self.text.encode("utf-8")
        except UnicodeEncodeError:  # JSON can spell it, no file can hold it
            return "content with half of a surrogate pair"
        return None


class Transient(Exception):
    """The try failed in a way that another try may cure. Internal to this package.

    Holds no request and no response object: those carry the key.
    """

    def __init__(
        self, reason: str, *, wait_s: float | None = None, throttled: bool = False, billed: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s  # what the server asked for in Retry-After
        self.throttled = throttled
        self.billed = billed  # the server may have answered, and so billed, although no whole reply came


class Refused(ChatError):
    """The server refuses this kind of request; asking the rest of the stage would be refused as well."""

    def __init__(self, status: int, explanation: str) -> None:
        super().__init__(f"HTTP {status}: {explanation}")
        self.status = status
        self.explanation = explanation


def read_reply(status: int, headers: Mapping[str, str], body: bytes, asked_model: str) -> Completion:
    """Read one response.

    Raises:
        Transient: status 408, 409, 425, 429 or 5xx, or a body that is not the expected JSON (truncated, replaced).
        Refused: every other status but 200, and 429 when it means an exhausted balance.
    """
    if status == 200:
        return _completion(body, asked_model)
    explanation, code = _explanation(body)
    if code == "insufficient_quota":  # OpenAI's 429 for an empty account: waiting does not cure it
        raise Refused(402, explanation)
    if status in RETRIED_STATUS or status >= 500:
        raise Transient(f"HTTP {status}", wait_s=retry_after(headers), throttled=status == 429)
    raise Refused(status, explanation)


def _completion(body: bytes, asked_model: str) -> Completion:
    try:
        reply = json.loads(body)
        choice = reply["choices"][0]
        text = choice["message"]["content"]
        finish_reason = choice.get("finish_reason")
        usage = reply.get("usage") or {}
        counts = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
        model = reply.get("model") or asked_model
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):  # any wrong shape
        raise Transient("HTTP 200 with a truncated or malformed body", billed=True) from None
    if not (text is None or isinstance(text, str)) or not isinstance(model, str):
        raise Transient("HTTP 200 with a malformed body", billed=True)
    return Completion(text or "", None if finish_reason is None else str(finish_reason), *counts, model)


def _explanation(body: bytes) -> tuple[str, str | None]:
    """The server's own words (shortened) and its error code, from {"error": {...}} or from plain text."""
    try:
        error: Any = json.loads(body)
    except ValueError:
        error = body.decode("utf-8", errors="replace").strip()
    error = error.get("error", error) if isinstance(error, dict) else error
    if isinstance(error, dict):
        message = error.get("message") or error.get("detail") or json.dumps(error, sort_keys=True)
        return str(message)[:SHOWN], None if error.get("code") is None else str(error["code"])
    return str(error)[:SHOWN] or "no explanation", None


def retry_after(headers: Mapping[str, str]) -> float | None:
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
