"""One request, until it has an answer: cache, then limits, then tries, then re-asks of what is not a complete answer.

The order is what keeps a bill small: nothing is sent that is in the cache or already in flight, here or in another
process (`dart.chat.claims`), and an answer is in the cache before anyone sees it.
"""

from __future__ import annotations

import asyncio
import random

import httpx

from dart.chat.cache import Origin, ResponseCache
from dart.chat.claims import Claims
from dart.chat.ledger import Ledger
from dart.chat.limits import EndpointLimits
from dart.chat.request import ChatRequest, canonical_json, max_completion_tokens
from dart.chat.response import (
    DEFAULT_RULES,
    PER_REQUEST_STATUS,
    Completion,
    ItemRefused,
    RefusedError,
    ReplyRules,
    TransientError,
    parse_response,
)
from dart.chat.retry import Backoff
from dart.chat.tasks import UsageTracker
from dart.chat.transport import CACHE_ONLY, ConnectionPool, ReplyTooLarge
from dart.core.errors import ChatError

MAX_CONSECUTIVE_FAILURES = 20  # requests given up one after the other, none answered in between: the endpoint is down
# Errors like "HTTP 400" before anything was answered: more of them are no property of single requests.
MAX_UNPROVEN = 5
PROOF_S = 0.05  # between two looks at whether the endpoint has answered anything
FIRST_WAIT_S, MAX_WAIT_S = 0.05, 1.0  # between looks for an answer that another process asks for
CUT_SHORT = "Your answer was cut off because it was too long. Answer again from the beginning, complete and shorter."
CHARACTERS_PER_TOKEN = 4  # of English prose, the rule in providers' documentation


class RequestFailed(ChatError):
    """This request has no complete answer; others may have one."""


class NeverComplete(RequestFailed):
    """Every answer to this request is cut, empty or damaged: a property of the item, which a re-run may not cure."""


class CircuitBreaker:
    """Stops every request of an `ask` from being sent once it is tripped; what is in flight may still arrive."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.refusal: RefusedError | None = None
        self._tripped = asyncio.Event()

    def trip(self, reason: str, refusal: RefusedError | None = None) -> None:
        """Stop sending. The first reason stands."""
        if self.reason is None:
            self.reason, self.refusal = reason, refusal
            self._tripped.set()

    def raise_if_tripped(self) -> None:
        """Go on only while nothing has stopped this `ask`.

        Raises:
            RequestFailed: the breaker is tripped; the message has the reason.
        """
        if self.reason is not None:
            raise RequestFailed(f"not asked: {self.reason}")

    async def sleep(self, seconds: float) -> None:
        """Sleep, but no longer than until the breaker is tripped, which raises as `raise_if_tripped` does."""
        try:
            async with asyncio.timeout(seconds):
                await self._tripped.wait()
        except TimeoutError:
            return
        self.raise_if_tripped()


class RequestExecutor:
    """Answers requests to one endpoint. Lives for one `ask`; the endpoint's limits outlive it."""

    def __init__(
        self,
        pool: ConnectionPool | None,  # None: nothing may be sent
        *,
        timeout_s: float,
        cache: ResponseCache,
        claims: Claims,
        origin: Origin,
        limits: EndpointLimits,
        ledger: Ledger,
        backoff: Backoff,
        tracker: UsageTracker,
        rules: ReplyRules = DEFAULT_RULES,
    ) -> None:
        self._pool = pool
        self._rules = rules
        self._timeout_s = timeout_s
        self._cache = cache
        self._claims = claims
        self._origin = origin
        self._limits = limits
        self._ledger = ledger
        self._open_charges = 0  # requests that are charged and not settled
        self._settled = asyncio.Event()
        self._backoff = backoff
        self._tracker = tracker
        self._jitter = random.Random()
        self._in_flight: dict[str, asyncio.Event] = {}
        self._consecutive_failures = 0
        self._open_requests = self._unproven = 0
        self._proven = asyncio.Event()  # the endpoint has answered a request of this kind
        self.breaker = CircuitBreaker()

    async def answer(
        self, request: ChatRequest, key: str, max_reasks: int, *, allow_truncated: bool = False
    ) -> Completion:
        """The complete answer to `request` (whose identity is `key`), from the cache or paid once.

        Args:
            allow_truncated: an empty text, or one cut at max_tokens, is complete as well.

        A refusal of this item by the model or the provider is an answer, too: a completion with `refusal`.

        Raises:
            RequestFailed: no complete answer within the tries and `max_reasks`, or nothing may be sent any more.
            RefusedError: the endpoint refuses requests of this kind.
        """
        waits = 0
        while True:
            hit = self._cache.get(key)
            if hit is not None and not allow_truncated:
                hit = hit.without_reasoning()
            if hit is not None and hit.incomplete_reason is not None and not allow_truncated:
                self._cache.delete([key])  # of an imported archive: only a student's answer may be cut or empty
            elif hit is not None:
                self._proven.set()
                self._tracker.record_cached(key, hit)
                return hit
            elif self._pool is None:
                raise RequestFailed(f"not in the cache, and {CACHE_ONLY} forbids to send anything")
            elif key in self._in_flight:
                await self._in_flight[key].wait()  # another task asks the same: its answer serves both
            elif self._claims.acquire(key):
                if self._cache.has(key):  # another process has stored it and given its claim up since we looked
                    self._claims.release([key])
                    continue
                return await self._ask_and_store(request, key, max_reasks, allow_truncated)
            else:  # another process asks the same
                waits += 1
                await self.breaker.sleep(min(MAX_WAIT_S, FIRST_WAIT_S * waits))

    async def _ask_and_store(
        self, request: ChatRequest, key: str, max_reasks: int, allow_truncated: bool
    ) -> Completion:
        self._in_flight[key] = asyncio.Event()
        try:
            # stored under the request itself and not under a re-ask of it: a later run finds it at once, and goes
            # the same way whether or not faults happened here
            self._open_requests += 1
            complete = await self._complete_answer(request, max_reasks, allow_truncated)
            if complete.refusal_kind == "request":
                self._claims.release([key])
                return complete  # not kept: the next run asks again, which costs nothing
            answer = self._cache.put(key, complete, self._origin, allow_truncated=allow_truncated)
            self._tracker.record_answer(key, answer)
            return answer
        except BaseException:
            self._claims.release([key])  # an answer ends its claim, anything else gives it back
            raise
        finally:
            self._open_requests -= 1
            self._in_flight.pop(key).set()

    async def _complete_answer(self, request: ChatRequest, max_reasks: int, allow_truncated: bool) -> Completion:
        attempt = request
        for _ in range(max_reasks + 1):
            reply = await self._reply_or_refusal(attempt)
            if not allow_truncated:  # what a student writes is kept as it is
                reply = reply.without_reasoning()
            problem = reply.malformed_reason if allow_truncated else reply.incomplete_reason
            if problem is None:
                return reply
            attempt = request
            if reply.finish_reason == "length" and reply.text.strip():
                attempt = request.with_messages(
                    {"role": "assistant", "content": reply.text}, {"role": "user", "content": CUT_SHORT}
                )
        raise NeverComplete(f"asked {max_reasks + 1} times without a complete answer: {problem}")

    async def _reply_or_refusal(self, request: ChatRequest) -> Completion:
        """A well-formed reply; a refusal of this request alone is one."""
        model = str(request.body["model"])
        try:
            reply = await self._reply_with_retries(request)
        except ItemRefused as refusal:
            return refusal.completion(model)
        except RefusedError as error:
            if error.status not in PER_REQUEST_STATUS:
                raise
            await self._wait_for_proof(error)
            return Completion("", None, 0, 0, model, str(error), "request")
        self._proven.set()
        return reply

    async def _wait_for_proof(self, error: RefusedError) -> None:
        """Wait until this endpoint has answered another request; if none is left, or too many fail, none is right.

        Raises:
            RefusedError: `error`, which holds for all requests.
            RequestFailed: the breaker is tripped meanwhile.
        """
        if self._proven.is_set():
            return
        self._unproven += 1
        try:
            while not self._proven.is_set():
                if self._unproven >= min(MAX_UNPROVEN, self._open_requests):
                    raise error
                await self.breaker.sleep(PROOF_S)
        finally:
            self._unproven -= 1

    async def _reply_with_retries(self, request: ChatRequest) -> Completion:
        """A well-formed reply, after as many tries as the schedule allows."""
        body = canonical_json(request.body)
        tries = 0
        while True:
            tries += 1
            try:
                reply = await self._send_within_limits(request, body)
            except TransientError as error:
                wait = self._backoff.wait_s(tries, error, self._jitter)
                if wait is None:
                    raise self._give_up(error, tries) from None
                self._tracker.retries += 1
                await self.breaker.sleep(wait)
            else:
                self._consecutive_failures = 0
                self._tracker.record_paid(reply)
                return reply

    async def _send_within_limits(self, request: ChatRequest, body: bytes) -> Completion:
        await self._limits.concurrency.acquire()
        try:
            self.breaker.raise_if_tripped()
            reserved = estimated_tokens(request)
            wait = max(self._limits.requests.reserve(), self._limits.tokens.reserve(reserved))
            if wait > 0:
                await self.breaker.sleep(wait)
            reply = await self._send_within_budget(request, body)
            self._limits.tokens.refund(reserved - reply.prompt_tokens - reply.completion_tokens)
            self._limits.concurrency.on_success()
            return reply
        except TransientError as error:
            if error.throttled:
                self._limits.concurrency.on_throttled()
            raise
        finally:
            self._limits.concurrency.release()

    async def _send_within_budget(self, request: ChatRequest, body: bytes) -> Completion:
        """Send once. A try whose reply did not come whole stays charged: it may have been billed."""
        while (charge := self._ledger.charge(request)) is None:
            if not self._open_charges:
                spent = self._ledger.spent_usd()
                self.breaker.trip(f"budget_usd of this endpoint is reached ({spent:.4f} USD are spent)")
                self.breaker.raise_if_tripped()
            self._settled.clear()  # a reply in flight will cost less than its worst case: see then
            await self._settled.wait()
            self.breaker.raise_if_tripped()
        self._open_charges += 1
        try:
            reply = await self._send(body, request.body["model"])
        except (TransientError, RefusedError, ItemRefused) as error:
            if not (isinstance(error, TransientError) and error.maybe_billed):
                self._ledger.settle(charge, None)
            raise
        else:
            self._ledger.settle(charge, reply)
            return reply
        finally:
            self._open_charges -= 1
            self._settled.set()

    async def _send(self, body: bytes, model: str) -> Completion:
        """Send once. Nothing of httpx leaves this function: its exceptions hold the request, and that the key."""
        assert self._pool is not None
        try:
            async with asyncio.timeout(self._timeout_s):
                status, headers, content = await self._pool.post(body)
        except ReplyTooLarge:
            reason, maybe_billed = "a reply that is larger than any answer of max_tokens", True
        except TimeoutError:
            reason, maybe_billed = f"no complete reply within {self._timeout_s:g} s (timeout_s)", True
        except (httpx.TransportError, httpx.DecodingError) as error:
            reason = f"connection failed: {type(error).__name__}"
            maybe_billed = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        else:
            return parse_response(status, headers, content, model, self._rules)
        # out here, so that it does not carry httpx's exception as its context
        raise TransientError(reason, maybe_billed=maybe_billed)

    def _give_up(self, error: TransientError, tries: int) -> RequestFailed:
        reason = f"given up after {tries} {'try' if tries == 1 else 'tries'}: {error.reason}"
        if error.retry_after_s is not None and error.retry_after_s > self._backoff.max_retry_after_s:
            reason += f" (the server asks to wait {error.retry_after_s:.0f} s)"
        self._consecutive_failures += 1
        if self._consecutive_failures >= MAX_CONSECUTIVE_FAILURES:
            self.breaker.trip(f"{MAX_CONSECUTIVE_FAILURES} requests in a row were given up before ({error.reason})")
        return RequestFailed(reason)


def estimated_tokens(request: ChatRequest) -> int:
    """What a provider's limit on tokens per minute counts: the prompt, at 4 characters a token, and max_tokens."""
    characters = sum(len(message["content"]) for message in request.body["messages"])
    return characters // CHARACTERS_PER_TOKEN + max_completion_tokens(request)
