"""Progress: one line in place on a terminal, rare plain lines elsewhere."""

from __future__ import annotations

import io

from dart.chat.progress import Progress
from dart.chat.response import Completion
from dart.chat.tasks import UsageTracker
from tests.support.fake_endpoint import endpoint


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(stream: io.StringIO) -> str:
    now = [0.0]
    tracker = UsageTracker(endpoint())
    progress = Progress("distill", 100, tracker, stream, lambda: now[0])
    for i in range(100):
        now[0] += 1.0
        completion = Completion("t", "stop", 1000, 100, "m")
        if i % 4 == 0:
            tracker.record_cached(str(i), completion)
        else:
            tracker.record_paid(completion)
        progress.advance(failed=i % 10 == 0)
    progress.close()
    return stream.getvalue()


def test_plain_lines_are_few_and_whole() -> None:
    lines = run(io.StringIO()).splitlines()
    assert lines[-1] == "distill: 100/100 done, 25 cached, 10 failed, 0.8 requests/s, 0.1500 USD"
    assert len(lines) == 4
    assert not any("\r" in line or "\x1b" in line for line in lines)


def test_a_terminal_sees_one_line() -> None:
    text = run(Terminal())
    assert text.count("\n") == 1
    assert text.count("\r") > 50
