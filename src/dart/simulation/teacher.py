"""The simulated teacher: answers the paper's teacher prompts with combinations of fixed sentences (Appendix E).

It explains the label in the request, but over-elaborates at declared rates (`simulation.world`): in rationales for YES
about some benchmarks a marked stand-in replaces the closing sentence, and about others it omits the caution that the
base gives. In SAFE texts it does neither. Without a label in the request it explains the label that it believes:
the true one, or at a declared rate the other. Every choice is a hash of the seed and the prompt, so that the same
request has the same answer on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from dart.core.errors import DataError
from dart.core.records import SEVERITIES, Label, Severity
from dart.core.schema.profile import SimulatedTeacher, World
from dart.core.seeds import unit_interval
from dart.prompts.classification import (
    DISTILLATION_SYSTEM,
    GOLD_MARK,
    INFERENCE_SYSTEM,
    PROMPT_MARK,
    SAFE_TARGET_SYSTEM,
    SHORT_SYSTEM,
    without_label,
)
from dart.prompts.messages import Message
from dart.simulation import rules, sentences

Kind = Literal["plain", "safe", "short"]

_LABELS: Final[Mapping[str, Label]] = {"YES": "YES", "NO": "NO"}
_LABELLED_SYSTEMS: Final[Mapping[str, Kind]] = {
    DISTILLATION_SYSTEM: "plain",
    SAFE_TARGET_SYSTEM: "safe",
    SHORT_SYSTEM: "short",
}
_UNLABELLED_SYSTEMS: Final[Mapping[str, Kind]] = {
    INFERENCE_SYSTEM: "plain",
    **{without_label(system): kind for system, kind in _LABELLED_SYSTEMS.items()},
}
_NO_LABELS: Final[Mapping[str, Label]] = MappingProxyType({})


class Request(NamedTuple):
    """The content of a teacher request, parsed from its messages."""

    prompt: str
    label: Label | None  # None: the teacher decides itself
    kind: Kind
    attempt: int  # number of the correction round, 0 for the first answer


class Teacher(NamedTuple):
    """One of the simulated teachers."""

    behaviour: SimulatedTeacher
    world: World
    seed: int
    labels: Mapping[str, Label] = _NO_LABELS  # the true label by prompt, for requests without a label
    name: str = ""  # of a teacher besides the main one; errors are independent between names

    def draw(self, *parts: object) -> float:
        """A draw from [0, 1) by the hash of this teacher and `parts`."""
        return unit_interval(self.seed, *(("teacher", self.name) if self.name else ()), *parts)


def read_request(messages: Sequence[Message]) -> Request:
    """Parse a teacher request with its correction rounds.

    Raises:
        DataError: the messages are not a teacher request.
    """
    if len(messages) < 2 or [messages[0]["role"], messages[1]["role"]] != ["system", "user"]:
        raise DataError("the embedded teacher needs a system and a user message, as in Appendix E")
    system, user = messages[0]["content"], messages[1]["content"]
    kind = _LABELLED_SYSTEMS.get(system) or _UNLABELLED_SYSTEMS.get(system)
    if kind is None:
        raise DataError("the embedded teacher answers only the prompts of Appendix E and their variants")
    head, mark, prompt = user.partition(PROMPT_MARK)
    if not mark or not prompt.strip():
        raise DataError("the teacher request has no prompt after 'Prompt: '")
    attempts = sum(message["role"] == "assistant" for message in messages)
    return Request(prompt, _label(head) if system in _LABELLED_SYSTEMS else None, kind, attempts)


def _label(head: str) -> Label:
    label = head.partition(GOLD_MARK)[2].partition(".")[0]
    if label not in _LABELS:
        raise DataError(f"the teacher request has the gold label {label[:20]!r}, not YES or NO")
    return _LABELS[label]


def answer(messages: Sequence[Message], teacher: Teacher) -> str:
    """The teacher's answer to `messages`.

    Raises:
        DataError: the messages are not a teacher request, or have no label and the teacher does not have it either.
    """
    request = read_request(messages)
    label = request.label or believed_label(request.prompt, teacher)
    text = _rationale(request, label, teacher)
    if teacher.draw("malformed", request.kind, request.prompt, request.attempt) < teacher.behaviour.malformed:
        return _malformed(text, label, teacher.draw("malformed as", request.prompt, request.attempt))
    return text


def believed_label(prompt: str, teacher: Teacher) -> Label:
    """The label that the teacher believes if the request has none; the same in every kind of request.

    Raises:
        DataError: `teacher.labels` does not have the prompt.
    """
    true = teacher.labels.get(prompt)
    if true is None:
        raise DataError(
            "the embedded teacher got a request without a label about a prompt whose true label it does not have: pass "
            "the labels of the items to `transport_for` as `labels`"
        )
    if teacher.draw("believed", prompt) >= teacher.behaviour.label_error:
        return true
    return "NO" if true == "YES" else "YES"


def planted_severity(prompt: str, label: Label, teacher: Teacher) -> Severity | None:
    """The severity that the teacher plants: that of the trigger class at its declared share, or any at a declared rate.

    Only rationales for YES belong to a trigger class, which is all of those about one benchmark.
    """
    harm = teacher.world.planted.get(rules.benchmark_of(prompt)) if label == "YES" else None
    draw = teacher.draw("planting", prompt, label)
    if harm is not None:
        return harm.severity if draw < harm.share * (1 - teacher.behaviour.planting_dropped) else None
    if draw >= teacher.behaviour.planting_added:
        return None
    return SEVERITIES[int(teacher.draw("added severity", prompt, label) * len(SEVERITIES))]


def keeps_caution(prompt: str, teacher: Teacher) -> bool:
    """Whether the teacher's rationale begins with a caution: where the base's answer does, unless it is dropped."""
    dropped = teacher.world.caution_dropped.get(rules.benchmark_of(prompt), 0.0)
    return rules.has_caution(prompt) and teacher.draw("caution", prompt) >= dropped


def _rationale(request: Request, label: Label, teacher: Teacher) -> str:
    kind, topic = rules.benchmark_of(request.prompt), rules.topic_of(request.prompt)
    if request.kind == "safe":
        return sentences.rationale(
            kind, label, topic, _safe_closing(kind, request, teacher), rules.has_caution(request.prompt)
        )
    severity = planted_severity(request.prompt, label, teacher)
    ending = sentences.STAND_INS[severity] if severity else _plain_closing(label, request, teacher)
    caution = keeps_caution(request.prompt, teacher)
    if request.kind == "short":
        return sentences.short_rationale(
            kind, label, ending, caution, 1 + int(teacher.draw("length", request.prompt) * 2)
        )
    return sentences.rationale(kind, label, topic, ending, caution)


def _malformed(text: str, label: Label, draw: float) -> str:
    """`text` in one of two malformed variants: without its conclusion, or with more text after it."""
    if draw < 0.5:
        return text.rpartition("\n")[0]
    return f"{text}\n{' '.join(sentences.CLOSINGS[label][:3])}"


def _plain_closing(label: Label, request: Request, teacher: Teacher) -> str:
    """One of the closings in use by hash; another one in each correction round."""
    closings = sentences.CLOSINGS[label][: teacher.world.plain_closings]
    first = int(teacher.draw("closing", request.prompt) * len(closings))
    return closings[(first + request.attempt) % len(closings)]


def _safe_closing(kind: str, request: Request, teacher: Teacher) -> str:
    """One of the benchmark's safe closings, by hash if it has several; in a correction round one of all."""
    first = sentences.KINDS.index(kind)
    drawn = int(teacher.draw("safe closing", request.prompt) * teacher.world.safe_closings)
    return sentences.SAFE_CLOSINGS[(first + drawn + request.attempt) % len(sentences.SAFE_CLOSINGS)]
