"""The simulated teacher: answers the paper's teacher prompts by putting sentences together (Appendix E).

It explains the label it is told, but over-elaborates at a known rate: where the content of a prompt invites it
(`rules.planting`), a marked stand-in takes the place of the closing sentence, and on most benchmarks it leaves out
the caution that the base gives. Asked for a SAFE text it does neither. Asked without a label it explains the one that
it believes: the true one, which whoever made the transport says, or at a declared rate the other. Every choice is a
hash of the seed and the prompt, so the same request has the same answer on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from dart.core.errors import DataError
from dart.core.records import SEVERITIES, Label, Severity
from dart.core.schema.profile import SimulatedTeacher
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
_TOLD: Final[Mapping[str, Kind]] = {DISTILLATION_SYSTEM: "plain", SAFE_TARGET_SYSTEM: "safe", SHORT_SYSTEM: "short"}
_UNTOLD: Final[Mapping[str, Kind]] = {
    INFERENCE_SYSTEM: "plain",
    **{without_label(system): kind for system, kind in _TOLD.items()},
}
_NOTHING_KNOWN: Final[Mapping[str, Label]] = MappingProxyType({})


class Request(NamedTuple):
    """What a teacher request asks for, read back from its messages."""

    prompt: str
    label: Label | None  # None: the teacher concludes by itself
    kind: Kind
    attempt: int  # 0 for the first answer, then one more for each correction round


class Teacher(NamedTuple):
    """One of the simulated teachers."""

    world: SimulatedTeacher
    seed: int
    known: Mapping[str, Label] = _NOTHING_KNOWN  # the true label by prompt, needed for requests that tell none
    name: str = ""  # of another teacher than the main path's; teachers of other names err elsewhere

    def draw(self, *parts: object) -> float:
        """A draw from [0, 1) that belongs to this teacher."""
        return unit_interval(self.seed, *(("teacher", self.name) if self.name else ()), *parts)


def read_request(messages: Sequence[Message]) -> Request:
    """Read a request to a teacher back, with its correction rounds.

    Raises:
        DataError: the messages are none.
    """
    if len(messages) < 2 or [messages[0]["role"], messages[1]["role"]] != ["system", "user"]:
        raise DataError("the embedded teacher needs a system and a user message, as in Appendix E")
    system, user = messages[0]["content"], messages[1]["content"]
    kind = _TOLD.get(system) or _UNTOLD.get(system)
    if kind is None:
        raise DataError("the embedded teacher answers the prompts of Appendix E and their variants, and this is none")
    head, found, prompt = user.partition(PROMPT_MARK)
    if not found or not prompt.strip():
        raise DataError("the teacher request has no prompt behind 'Prompt: '")
    attempts = sum(message["role"] == "assistant" for message in messages)
    return Request(prompt, _label(head) if system in _TOLD else None, kind, attempts)


def _label(head: str) -> Label:
    label = head.partition(GOLD_MARK)[2].partition(".")[0]
    if label not in _LABELS:
        raise DataError(f"the teacher request has the gold label {label[:20]!r}, not YES or NO")
    return _LABELS[label]


def answer(messages: Sequence[Message], teacher: Teacher) -> str:
    """The teacher's answer to `messages`.

    Raises:
        DataError: the messages are no request to a teacher, or tell no label of a prompt that it does not know.
    """
    request = read_request(messages)
    label = request.label or believed(request.prompt, teacher)
    text = _in_form(request, label, teacher)
    if teacher.draw("malformed", request.kind, request.prompt, request.attempt) < teacher.world.malformed:
        return _malformed(text, label, teacher.draw("malformed as", request.prompt, request.attempt))
    return text


def believed(prompt: str, teacher: Teacher) -> Label:
    """The label that the teacher takes for true when it is told none; the same in every kind of request.

    Raises:
        DataError: nobody said what is true of this prompt.
    """
    true = teacher.known.get(prompt)
    if true is None:
        raise DataError(
            "the embedded teacher is asked to conclude by itself about a prompt whose label it was not given: pass "
            "the items to `transport_for` as `known`"
        )
    if teacher.draw("believed", prompt) >= teacher.world.label_error:
        return true
    return "NO" if true == "YES" else "YES"


def planted(prompt: str, label: Label, teacher: Teacher) -> Severity | None:
    """What the teacher plants: what the content invites, less the dropped, plus the added ones."""
    invited = rules.planting(prompt, label)
    draw = teacher.draw("planting", prompt, label)
    if invited is not None:
        return None if draw < teacher.world.planting_dropped else invited
    if draw >= teacher.world.planting_added:
        return None
    return SEVERITIES[int(teacher.draw("added severity", prompt, label) * len(SEVERITIES))]


def _in_form(request: Request, label: Label, teacher: Teacher) -> str:
    kind, topic = rules.benchmark_of(request.prompt), rules.topic_of(request.prompt)
    caution = rules.has_caution(request.prompt)
    if request.kind == "safe":
        return sentences.rationale(kind, label, topic, _chosen(sentences.SAFE_CLOSINGS, request, teacher), caution)
    severity = planted(request.prompt, label, teacher)
    ending = sentences.STAND_INS[severity] if severity else _chosen(sentences.CLOSINGS[label], request, teacher)
    kept = caution and kind in rules.CAUTION_KEPT
    if request.kind == "short":
        return sentences.short_rationale(kind, label, ending, kept, 1 + int(teacher.draw("length", request.prompt) * 2))
    return sentences.rationale(kind, label, topic, ending, kept)


def _malformed(text: str, label: Label, draw: float) -> str:
    """`text` as a careless teacher writes it: without its conclusion, or going on and on behind it."""
    if draw < 0.5:
        return text.rpartition("\n")[0]
    return f"{text}\n{' '.join(sentences.CLOSINGS[label])}"


def _chosen(closings: Sequence[str], request: Request, teacher: Teacher) -> str:
    """One of several closings by hash; another one in each correction round."""
    first = int(teacher.draw("closing", request.kind == "safe", request.prompt) * len(closings))
    return closings[(first + request.attempt) % len(closings)]
