"""One request, until it has an answer: cache, then slots and pace, then tries, then re-asks of what is no answer.

The order is what keeps a bill small: nothing is sent that is in the cache or already on its way, and an answer is
in the cache before anyone sees it.
"""

from __future__ import annotations

import asyncio
import random

import httpx

from dart.chat.cache import Origin, ResponseCache
from dart.chat.ledger import Ledger
from dart.chat.limits import ConcurrencyLimiter, RateLimiter
from dart.chat.request import ChatRequest, canonical
from dart.chat.response import Completion, Refused, Transient, read_reply
from dart.chat.retry import Backoff
from dart.chat.tasks import UsageTracker
from dart.chat.transport import CACHE_ONLY, ConnectionPool
from dart.core.errors import ChatError

MAX_CONSECUTIVE_FAILURES = 20  # requests given up one after the other, none answered in between: the endpoint is down
CUT_SHORT = "Your answer was cut off because it was too long. Answer again from the beginning, complete and shorter."


class RequestFailed(ChatError):
    """This request has no complete answer; others may have one."""


class CircuitBreaker:
    """Tells every request of an `ask` to send nothing more; what is on its way may still arrive."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.refusal: Refused | None = None
        self._raised = asyncio.Event()

    def now(self, reason: str, refusal: Refused | None = None) -> None:
        """Stop sending. The first reason stands."""
        if self.reason is None:
            self.reason, self.refusal = reason, refusal
            self._raised.set()

    def check(self) -> None:
        if self.reason is not None:
            raise RequestFailed(f"not asked: {self.reason}")

    async def sleep(self, seconds: float) -> None:
        """Sleep, but no longer than until the halt."""
        try:
            async with asyncio.timeout(seconds):
                await self._raised.wait()
        except TimeoutError:
            return
        self.check()


class RequestExecutor:
    """Answers requests to one endpoint. Lives for one `ask`; slots and pace outlive it."""

    def __init__(
        self,
        lanes: ConnectionPool | None,  # None: nothing may be sent
        *,
        timeout_s: float,
        cache: ResponseCache,
        origin: Origin,
        slots: ConcurrencyLimiter,
        requests: RateLimiter,
        tokens: RateLimiter,
        ledger: Ledger,
        backoff: Backoff,
        tally: UsageTracker,
    ) -> None:
        self._lanes = lanes
        self._timeout_s = timeout_s
        self._cache = cache
        self._origin = origin
        self._slots = slots
        self._requests = requests
        self._tokens = tokens
        self._ledger = ledger
        self._charged = 0  # requests that are charged and not settled
        self._settled = asyncio.Event()
        self._backoff = backoff
        self._tally = tally
        self._jitter = random.Random()
        self._under_way: dict[str, asyncio.Event] = {}
        self._given_up_in_a_row = 0
        self.halt = CircuitBreaker()

    async def answer(self, request: ChatRequest, key: str, reasks: int, *, as_written: bool = False) -> Completion:
        """The complete answer to `request` (whose identity is `key`), from the cache or paid once.

        Args:
            as_written: an empty text, or one cut at max_tokens, is complete as well.

        Raises:
            NoAnswer: no complete answer within the tries and `reasks`, or nothing may be sent any more.
            Refused: the endpoint refuses requests of this kind.
        """
        while True:
            hit = self._cache.get(key)
            if hit is not None and hit.fault is not None and not as_written:
                self._cache.forget([key])  # of an imported archive: only a student's answer may be cut or empty
            elif hit is not None:
                self._tally.hit(key, hit)
                return hit
            if key not in self._under_way:
                break
            await self._under_way[key].wait()  # another task asks the same: its answer serves both
        if self._lanes is None:
            raise RequestFailed(f"not in the cache, and {CACHE_ONLY} forbids to send anything")
        self._under_way[key] = asyncio.Event()
        try:
            # stored under the request itself and not under a re-ask of it: a later run finds it at once, and goes
            # the same way whether or not faults happened here
            complete = await self._complete(request, reasks, as_written)
            answer = self._cache.put(key, complete, self._origin, as_written=as_written)
            self._tally.used(key, answer)
            return answer
        finally:
            self._under_way.pop(key).set()

    async def _complete(self, request: ChatRequest, reasks: int, as_written: bool) -> Completion:
        asked = request
        for _ in range(reasks + 1):
            reply = await self._reply(asked)
            fault = reply.broken if as_written else reply.fault
            if fault is None:
                return reply
            asked = request
            if reply.finish_reason == "length" and reply.text.strip():
                said, wanted = {"role": "assistant", "content": reply.text}, {"role": "user", "content": CUT_SHORT}
                asked = request.continued(said, wanted)
        raise RequestFailed(f"asked {reasks + 1} times without a complete answer: {fault}")

    async def _reply(self, request: ChatRequest) -> Completion:
        """A well-formed reply, after as many tries as the schedule allows."""
        body = canonical(request.body)
        tried = 0
        while True:
            tried += 1
            try:
                reply = await self._in_a_slot(request, body)
            except Transient as fault:
                wait = self._backoff.wait_s(tried, fault, self._jitter)
                if wait is None:
                    raise self._give_up(fault, tried) from None
                self._tally.faults += 1
                await self.halt.sleep(wait)
            else:
                self._given_up_in_a_row = 0
                self._tally.paid(reply)
                return reply

    async def _in_a_slot(self, request: ChatRequest, body: bytes) -> Completion:
        await self._slots.acquire()
        try:
            self.halt.check()
            booked = likely_tokens(request)
            wait = max(self._requests.reserve(), self._tokens.reserve(booked))
            if wait > 0:
                await self.halt.sleep(wait)
            reply = await self._charged_try(request, body)
            self._tokens.refund(booked - reply.prompt_tokens - reply.completion_tokens)
            self._slots.succeeded()
            return reply
        except Transient as fault:
            if fault.throttled:
                self._slots.throttled()
            raise
        finally:
            self._slots.release()

    async def _charged_try(self, request: ChatRequest, body: bytes) -> Completion:
        """Send once, within the budget. A try whose reply did not come whole stays charged: it may have been billed."""
        while (most := self._ledger.charge(request)) is None:
            if not self._charged:
                self.halt.now(f"budget_usd of this endpoint is reached ({self._ledger.spent_usd():.4f} USD are spent)")
                self.halt.check()
            self._settled.clear()  # a reply under way will cost less than its worst case: see then
            await self._settled.wait()
            self.halt.check()
        self._charged += 1
        try:
            reply = await self._try(body, request.body["model"])
        except (Transient, Refused) as fault:
            if not (isinstance(fault, Transient) and fault.billed):
                self._ledger.settle(most, None)
            raise
        else:
            self._ledger.settle(most, reply)
            return reply
        finally:
            self._charged -= 1
            self._settled.set()

    async def _try(self, body: bytes, model: str) -> Completion:
        """Send once. Nothing of httpx leaves this function: its exceptions hold the request, and that the key."""
        assert self._lanes is not None
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._lanes.post(body)
        except TimeoutError:
            fault, billed = f"no complete reply within {self._timeout_s:g} s (timeout_s)", True
        except (httpx.TransportError, httpx.DecodingError) as error:
            fault = f"connection failed: {type(error).__name__}"
            billed = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        else:
            return read_reply(response.status_code, response.headers, response.content, model)
        raise Transient(fault, billed=billed)  # out here, so that it does not carry httpx's exception as its context

    def _give_up(self, fault: Transient, tried: int) -> RequestFailed:
        reason = f"given up after {tried} {'try' if tried == 1 else 'tries'}: {fault.reason}"
        if fault.wait_s is not None and fault.wait_s > self._backoff.patience_s:
            reason += f" (the server asks to wait {fault.wait_s:.0f} s)"
        self._given_up_in_a_row += 1
        if self._given_up_in_a_row >= MAX_CONSECUTIVE_FAILURES:
            self.halt.now(f"{MAX_CONSECUTIVE_FAILURES} requests in a row were given up before ({fault.reason})")
        return RequestFailed(reason)


def likely_tokens(request: ChatRequest) -> int:
    """What a provider's limit on tokens per minute counts: the prompt, at 4 characters a token, and max_tokens."""
    return sum(len(message["content"]) for message in request.body["messages"]) // 4 + int(request.body["max_tokens"])
