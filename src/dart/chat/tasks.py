"""What a stage hands in and gets back: tasks, answers, failures and what they cost.

The line between them is the contract of this package: an answer that its task's check rejected is an answer (or,
where a value is required, a refusal); a refusal is a result about its item and no value; a call without a complete
answer is a failure, and a re-run may cure it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

from dart.chat.request import ChatRequest, build_request
from dart.chat.response import Completion
from dart.core.errors import ChatError, IncompleteError
from dart.core.records import Record
from dart.core.refusal import Refusal
from dart.core.schema.profile import Endpoint
from dart.prompts.messages import Message

T = TypeVar("T")

MAX_REASONS = 5


class Rejected(ChatError):
    """Raised by a task's check: the answer cannot be used. `problem` is told to the model."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class Task(NamedTuple, Generic[T]):
    """One question with the check that turns an answer's text into a value.

    `check` raises `Rejected` for a text that cannot be used; the conversation then goes on with that answer and a
    message naming the problem, at most `max_corrections` times. It must depend on nothing but the text: a re-run
    repeats it on answers from the cache.
    """

    key: str  # names the task in the outcome; unique among the tasks of one `ask`
    messages: list[Message]
    check: Callable[[str], T]
    max_corrections: int
    json_object: bool = False  # the answer is JSON: the endpoint's json_mode says how a request tells
    required: bool = True  # after the last rejection: True: a refusal; False: an answer whose value is None
    repeat: int = 0  # which of several independent answers to the same question
    extra_body: Mapping[str, Any] | None = None  # further fields of the request that this server knows
    allow_truncated: bool = False  # an empty text, or one cut at max_tokens, is an answer too: a student's is
    schema: type[Record] | None = None  # of the JSON, for an endpoint with json_mode json_schema

    def request(self, endpoint: Endpoint, fingerprint: str | None) -> ChatRequest:
        """The first request of the conversation; `fingerprint`: of a simulated endpoint's world, part of the key."""
        return build_request(
            endpoint,
            self.messages,
            json_object=self.json_object,
            repeat=self.repeat,
            fingerprint=fingerprint,
            extra_body=self.extra_body,
            schema=self.schema,
        )


class Answer(NamedTuple, Generic[T]):
    """The last complete answer to a task."""

    key: str
    value: T | None  # None if it was rejected, which only a task that is not `required` can return
    text: str
    problem: str | None  # why it was rejected
    attempts: int  # complete answers up to this one: 1 + corrections used
    model: str  # as the server names it
    prompt_tokens: int = 0  # as the server counts them; 0 if it does not tell
    refusal: Refusal | None = None  # of the endpoint in whose place a fallback answered


class Cost(Record):
    """What the answers of an `ask` cost without a cache; the same whenever the answers are the same."""

    answers: int = 0  # distinct requests, corrections included
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0  # at the profile's prices


class Usage(Record):
    """What an `ask` used this time. Cached answers cost nothing and are counted beside the paid ones."""

    calls: int = 0  # replies that were sent by the server in full, and so paid
    cached: int = 0
    retries: int = 0  # tries that ended in an error and were repeated
    reasoned: int = 0  # answers that came with a chain of thought, which was cut
    prompt_tokens: int = 0  # of `calls`
    completion_tokens: int = 0
    usd: float = 0.0  # of `calls`, at the profile's prices
    cost: Cost = Cost()

    def __add__(self, other: Usage) -> Usage:
        """Both together; the prices are those of either endpoint."""
        own, of_other = self.cost, other.cost
        cost = Cost(**{name: getattr(own, name) + getattr(of_other, name) for name in Cost.model_fields})
        counts = {name: getattr(self, name) + getattr(other, name) for name in Usage.model_fields if name != "cost"}
        return Usage(**counts, cost=cost)


class UsageTracker:
    """Counts calls, answers and tokens while an `ask` runs; `usage` is the result."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.calls = self.cached = self.retries = 0
        self._paid_tokens = (0, 0)  # prompt, completion
        self._answer_tokens: dict[str, tuple[int, int]] = {}
        self._reasoned: set[str] = set()

    def record_paid(self, completion: Completion) -> None:
        """Count a reply that came over the wire, answer or not: both are billed."""
        self.calls += 1
        prompt, answer = self._paid_tokens
        self._paid_tokens = (prompt + completion.prompt_tokens, answer + completion.completion_tokens)

    def record_cached(self, key: str, completion: Completion) -> None:
        """Count an answer from the cache."""
        self.cached += 1
        self.record_answer(key, completion)

    def record_answer(self, key: str, completion: Completion) -> None:
        """Count an answer to a task, wherever it came from, once per request."""
        self._answer_tokens[key] = completion.prompt_tokens, completion.completion_tokens
        if completion.reasoning_characters:
            self._reasoned.add(key)

    @property
    def usd(self) -> float:
        """Price of the paid replies so far."""
        return price_usd(self._endpoint, *self._paid_tokens)

    def usage(self) -> Usage:
        prompt_tokens = sum(prompt for prompt, _ in self._answer_tokens.values())
        completion_tokens = sum(completion for _, completion in self._answer_tokens.values())
        return Usage(
            calls=self.calls,
            cached=self.cached,
            retries=self.retries,
            reasoned=len(self._reasoned),
            prompt_tokens=self._paid_tokens[0],
            completion_tokens=self._paid_tokens[1],
            usd=self.usd,
            cost=Cost(
                answers=len(self._answer_tokens),
                prompt_tokens=prompt_tokens,
                completion_tokens=completion_tokens,
                usd=round(price_usd(self._endpoint, prompt_tokens, completion_tokens), 6),
            ),
        )


def price_usd(endpoint: Endpoint, prompt_tokens: int, completion_tokens: int) -> float:
    """Price of so many tokens at `endpoint`."""
    return (
        prompt_tokens * endpoint.usd_per_million_prompt_tokens
        + completion_tokens * endpoint.usd_per_million_completion_tokens
    ) / 1_000_000


class Outcome(NamedTuple, Generic[T]):
    """The result of an `ask`, in task order: each task is in `answers`, in `failures`, or in `refusals` alone.

    `refusals` also holds those that a fallback has answered: they are in `answers` as well.
    """

    answers: dict[str, Answer[T]]
    failures: dict[str, str]  # reason by task key
    usage: Usage
    refusals: Mapping[str, Refusal] = MappingProxyType({})
    may_miss: float = 0.0  # share of the tasks that may stay without an answer because they were refused

    @property
    def missing(self) -> dict[str, Refusal]:
        """The refusals that nobody answered."""
        return {key: refusal for key, refusal in self.refusals.items() if key not in self.answers}

    def require_complete(self, stage: str) -> None:
        """Refuse to go on with fewer answers than tasks; refused ones count up to `may_miss`, rounded up.

        Raises:
            IncompleteError: a task failed, or more were refused than may be missing; says how many, why and what next.
        """
        missing = self.missing
        total = len(self.answers) + len(self.failures) + len(missing)
        allowed = math.ceil(self.may_miss * total)
        if not self.failures and len(missing) > allowed:
            raise IncompleteError(
                f"{stage}: {len(missing)} of {total} tasks were refused, and may_miss allows "
                f"{allowed} (first: {', '.join(list(missing)[:3])}):\n"
                + _grouped(refusal.problem for refusal in missing.values())
                + "\nThe answers that came are kept, and only the missing ones are asked again. Raise `may_miss` of the"
                " stage's section in params.yaml (refused items are then left out, counted and shown in Table K), name "
                "a `fallback` for this endpoint in the profile, or ask another model."
            )
        if not self.failures:
            return
        also = f"\nBesides, {len(missing)} were refused." if missing else ""
        raise IncompleteError(
            f"{stage}: {len(self.failures)} of {total} tasks have no answer "
            f"(first: {', '.join(list(self.failures)[:3])}):\n{_grouped(self.failures.values())}{also}\nThe answers "
            "that came are kept. Run again (`dvc repro`): only the missing ones are asked."
        )


def _grouped(reasons: Iterable[str]) -> str:
    """Equal reasons on one line each, the most frequent first."""
    counts = Counter(reasons).most_common()
    lines = [f"  {count} x {reason}" for reason, count in counts[:MAX_REASONS]]
    if len(counts) > MAX_REASONS:
        lines.append(f"  {sum(count for _, count in counts[MAX_REASONS:])} x other reasons")
    return "\n".join(lines)
