"""What a check has found: one line each, with its way out; a problem ends the run before anything is spent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from dart.core.errors import DartError
from dart.core.visible_text import visible

Level = Literal["ok", "warning", "problem"]
SKIP = "DART_SKIP_CHECK"  # "1": stages start without checks


class CheckFailed(DartError, RuntimeError):
    """A run could not end well; the message lists every problem."""


class Finding(NamedTuple):
    """One line of a check."""

    subject: str  # what was looked at, e.g. "teacher deepseek-chat"
    level: Level
    text: str  # what it came to; of a problem with its way out


def render(findings: Sequence[Finding]) -> str:
    """The lines of a check, problems last, visible."""
    order: tuple[Level, ...] = ("ok", "warning", "problem")
    ordered = sorted(findings, key=lambda finding: order.index(finding.level))
    return "\n".join(visible(f"{line.level:<8} {line.subject}: {' '.join(line.text.split())}") for line in ordered)


def require(findings: Sequence[Finding]) -> None:
    """End the run if there is a problem.

    Raises:
        CheckFailed: with every problem, and how to run all the same.
    """
    problems = [finding for finding in findings if finding.level == "problem"]
    if problems:
        raise CheckFailed(
            f"{len(problems)} problems would end this run later:\n{render(problems)}\n"
            f"Nothing was done. `dart check --online` repeats this; {SKIP}=1 starts stages without it."
        )
