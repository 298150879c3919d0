"""What is tried again, what stops the stage, and how long the next try waits."""

from __future__ import annotations

import email.utils
import json
import random
import time

import pytest

from dart.chat.response import Completion, RefusedError, TransientError, parse_response, parse_retry_after
from dart.chat.retry import Backoff
from tests.support.fake_endpoint import reply

GOOD = reply("yes").content


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_passing_faults_are_tried_again(status: int) -> None:
    with pytest.raises(TransientError) as caught:
        parse_response(status, {"retry-after": "7"}, b"busy", "m")
    assert (caught.value.retry_after_s, caught.value.throttled) == (7.0, status == 429)


@pytest.mark.parametrize("status", [301, 307, 400, 401, 402, 403, 404, 405, 413, 422])
def test_refusals_stop_the_stage(status: int) -> None:
    with pytest.raises(RefusedError, match="the reason"):
        parse_response(status, {}, b'{"error": {"message": "the reason", "code": null}}', "m")


def test_an_empty_account_is_a_refusal_although_it_is_a_429() -> None:
    with pytest.raises(RefusedError) as caught:
        parse_response(429, {}, b'{"error": {"message": "quota", "code": "insufficient_quota"}}', "m")
    assert caught.value.status == 402


@pytest.mark.parametrize("cut", range(0, len(GOOD), 7))
def test_a_body_cut_anywhere_is_no_reply(cut: int) -> None:
    with pytest.raises(TransientError):
        parse_response(200, {}, GOOD[:cut], "m")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"null", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{}]}', b'{"choices": [{"message": 1}]}',
     b'{"choices": [{"message": {"content": 5}}]}', b'{"error": {"message": "x"}}', b"\xff\xfe", b"[" * 100_000],
)  # fmt: skip
def test_a_malformed_body_is_no_reply(body: bytes) -> None:
    with pytest.raises(TransientError):
        parse_response(200, {}, body, "m")


def test_a_reply_is_read() -> None:
    assert parse_response(200, {}, GOOD, "m") == Completion("yes", "stop", 100, 10, "served-model")
    bare = json.dumps({"choices": [{"message": {"content": "yes"}}]}).encode()
    assert parse_response(200, {}, bare, "m") == Completion("yes", None, 0, 0, "m")


@pytest.mark.parametrize(
    ("text", "finish_reason", "complete"),
    [("a", "stop", True), ("a", None, True), ("a", "length", False), ("", "stop", False), (" \n", None, False),
     ("a", "content_filter", False), ("a", "tool_calls", False)],
)  # fmt: skip
def test_only_text_that_ended_by_itself_is_an_answer(text: str, finish_reason: str | None, complete: bool) -> None:
    assert (Completion(text, finish_reason, 1, 1, "m").incomplete_reason is None) == complete


def test_retry_after_in_its_three_forms() -> None:
    assert parse_retry_after({"retry-after": "2.5"}) == 2.5
    assert parse_retry_after({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5
    date = email.utils.formatdate(time.time() + 30, usegmt=True)
    assert parse_retry_after({"retry-after": date}) == pytest.approx(30, abs=2)
    assert parse_retry_after({"retry-after": "-3"}) == 0.0
    assert [parse_retry_after({"retry-after": bad}) for bad in ("soon", "nan", "inf", "")] == [None] * 4
    assert parse_retry_after({}) is None


def test_waits_grow_with_jitter_and_end() -> None:
    backoff = Backoff()
    fault = TransientError("x")
    for tried, step in enumerate((0.5, 1, 2, 4, 8, 16, 30), start=1):
        waits = {backoff.wait_s(tried, fault, random.Random(seed)) for seed in range(50)}
        assert len(waits) > 40, "no jitter"
        assert all(wait is not None and step / 2 <= wait <= step for wait in waits)
    assert backoff.wait_s(8, fault, random.Random(0)) is None


def test_the_server_is_given_the_time_it_asks_for() -> None:
    throttle = TransientError("x", retry_after_s=20.0)
    waits = [Backoff().wait_s(1, throttle, random.Random(seed)) for seed in range(50)]
    assert all(wait is not None and 20.0 <= wait <= 21.0 for wait in waits)
    assert Backoff().wait_s(1, TransientError("x", retry_after_s=3600.0), random.Random(0)) is None
