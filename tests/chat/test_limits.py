"""The limiter keeps its bounds and cannot hang (published fault: a long prompt or a low limit hung it for ever)."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dart.chat.limits import ConcurrencyLimiter, RateLimiter


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_starts_are_spread_evenly() -> None:
    clock = Clock()
    limiter = RateLimiter(60, clock)
    assert [limiter.reserve() for _ in range(4)] == [0.0, 1.0, 2.0, 3.0]
    clock.now += 10.0
    assert [limiter.reserve(), limiter.reserve()] == [0.0, 1.0]  # idle time is not saved up for a burst


def test_no_limit_never_waits() -> None:
    limiter = RateLimiter(None, Clock())
    assert {limiter.reserve() for _ in range(100)} == {0.0}


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30), st.integers(1, 1000))
def test_a_cost_larger_than_the_rate_starts_too(costs: list[float], rate: int) -> None:
    clock = Clock()
    limiter = RateLimiter(rate, clock)
    waits = [limiter.reserve(cost) for cost in costs]
    assert waits[0] == 0.0
    assert waits[-1] == pytest.approx(sum(costs[:-1]) * 60 / rate)  # finite, and exactly the debt before it


def test_a_burst_of_429_halves_once_and_success_recovers() -> None:
    clock = Clock()
    slots = ConcurrencyLimiter(16, clock)
    for _ in range(10):
        slots.on_throttled()
    assert slots.limit == 8
    for _ in range(20):
        clock.now += 2.0
        slots.on_throttled()
    assert slots.limit == 1
    for _ in range(1000):
        slots.on_success()
    assert slots.limit == 16


def test_a_slot_handed_to_a_cancelled_waiter_is_passed_on() -> None:
    async def run() -> None:
        slots = ConcurrencyLimiter(1)
        await slots.acquire()
        waiters = [asyncio.create_task(slots.acquire()) for _ in range(3)]
        await asyncio.sleep(0)
        waiters[1].cancel()  # while it waits
        slots.release()  # hands over to the first waiter ...
        waiters[0].cancel()  # ... who is cancelled before it wakes up
        await asyncio.wait_for(waiters[2], 1)
        slots.release()
        await asyncio.wait_for(slots.acquire(), 1)
        assert slots.in_flight == 1

    asyncio.run(run())


@pytest.mark.parametrize("seed", range(5))
def test_slots_survive_any_order_of_throttling_and_cancelling(seed: int) -> None:
    draw = random.Random(seed)
    most = 4

    async def run() -> int:
        clock = Clock()
        slots = ConcurrencyLimiter(most, clock)
        finished = 0

        async def work(fate: float, pauses: int) -> None:
            nonlocal finished
            await slots.acquire()
            try:
                assert 1 <= slots.in_flight <= most
                for _ in range(pauses):
                    await asyncio.sleep(0)
                if fate < 0.3:
                    clock.now += 2.0
                    slots.on_throttled()
                else:
                    slots.on_success()
            finally:
                slots.release()
            finished += 1

        workers = [asyncio.create_task(work(draw.random(), draw.randrange(4))) for _ in range(300)]
        for worker in workers:
            if draw.random() < 0.4:
                for _ in range(draw.randrange(3)):
                    await asyncio.sleep(0)
                worker.cancel()
        results = await asyncio.wait_for(asyncio.gather(*workers, return_exceptions=True), 10)
        assert slots.in_flight == 0
        assert not [result for result in results if isinstance(result, AssertionError)]
        await asyncio.wait_for(slots.acquire(), 1)  # still usable
        return finished

    assert asyncio.run(run()) >= 100


def test_what_was_booked_too_much_comes_back() -> None:
    now = [0.0]
    limiter = RateLimiter(60, clock=lambda: now[0])
    assert limiter.reserve(30) == 0
    limiter.refund(20)
    assert limiter.reserve() == 10


def test_a_prompt_larger_than_a_minute_of_tokens_is_sent_all_the_same() -> None:
    limiter = RateLimiter(100, clock=lambda: 0.0)
    assert limiter.reserve(1000) == 0
    assert limiter.reserve(1) == pytest.approx(600)
