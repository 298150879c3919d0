"""The simulated teacher: answers the paper's two teacher prompts by putting sentences together (Appendix E).

It explains the gold label as asked, but over-elaborates at a known rate: where the content of a prompt invites
it (`rules.planting`), a marked stand-in takes the place of the closing sentence, and on most benchmarks it
leaves out the caution that the base gives. Asked for a SAFE text it does neither. Every choice is a hash of
the seed and the prompt, so the same request has the same answer on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from dart.embedded import bank, rules
from dart.errors import DataError
from dart.prompts.classification import DISTILLATION_SYSTEM, GOLD_MARK, PROMPT_MARK, SAFE_TARGET_SYSTEM
from dart.prompts.messages import Message
from dart.records import SEVERITIES, Label, Severity, unit_interval
from dart.settings.world import WorldTeacher

_LABELS: Final[Mapping[str, Label]] = {"YES": "YES", "NO": "NO"}


class Request(NamedTuple):
    """What a teacher request asks for, read back from its messages."""

    prompt: str
    label: Label
    safe: bool
    attempt: int  # 0 for the first answer, then one more for each correction round


def read_request(messages: Sequence[Message]) -> Request:
    """Read a distillation or safe-target request back, with its correction rounds.

    Raises:
        DataError: the messages are neither.
    """
    if len(messages) < 2 or [messages[0]["role"], messages[1]["role"]] != ["system", "user"]:
        raise DataError("the embedded teacher needs a system and a user message, as in Appendix E")
    system, user = messages[0]["content"], messages[1]["content"]
    if system not in (DISTILLATION_SYSTEM, SAFE_TARGET_SYSTEM):
        raise DataError("the embedded teacher answers the prompts of Appendix E.1 and E.2 only, and this is neither")
    head, found, prompt = user.partition(PROMPT_MARK)
    label = head.partition(GOLD_MARK)[2].partition(".")[0]
    if not found or not prompt.strip():
        raise DataError("the teacher request has no prompt behind 'Prompt: '")
    if label not in _LABELS:
        raise DataError(f"the teacher request has the gold label {label[:20]!r}, not YES or NO")
    attempts = sum(message["role"] == "assistant" for message in messages)
    return Request(prompt, _LABELS[label], system == SAFE_TARGET_SYSTEM, attempts)


def answer(messages: Sequence[Message], world: WorldTeacher, seed: int) -> str:
    """The teacher's answer to `messages`.

    Raises:
        DataError: the messages are no request to a teacher.
    """
    request = read_request(messages)
    caution = rules.has_caution(request.prompt)
    if request.safe:
        return _written(request, _chosen(bank.SAFE_CLOSINGS, request, seed), caution)
    severity = planted(request.prompt, request.label, world, seed)
    ending = bank.STAND_INS[severity] if severity else _chosen(bank.CLOSINGS[request.label], request, seed)
    kept = caution and rules.benchmark_of(request.prompt) in rules.CAUTION_KEPT
    return _written(request, ending, kept)


def planted(prompt: str, label: Label, world: WorldTeacher, seed: int) -> Severity | None:
    """What the teacher plants: what the content invites, less the dropped, plus the added ones."""
    invited = rules.planting(prompt, label)
    draw = unit_interval(seed, "planting", prompt, label)
    if invited is not None:
        return None if draw < world.planting_dropped else invited
    if draw >= world.planting_added:
        return None
    return SEVERITIES[int(unit_interval(seed, "added severity", prompt, label) * len(SEVERITIES))]


def _written(request: Request, ending: str, caution: bool) -> str:
    kind = rules.benchmark_of(request.prompt)
    return bank.rationale(kind, request.label, rules.topic_of(request.prompt), ending, caution)


def _chosen(closings: Sequence[str], request: Request, seed: int) -> str:
    """One of several closings by hash; another one in each correction round."""
    first = int(unit_interval(seed, "closing", request.safe, request.prompt) * len(closings))
    return closings[(first + request.attempt) % len(closings)]
