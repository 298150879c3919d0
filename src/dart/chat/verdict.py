"""Read a judge's verdict strictly: one JSON object of exactly the fields asked for, or a correction to send back.

Nothing is guessed: prose around the JSON, a string "false", a missing, doubled or unknown key is no verdict. What a
verdict means, and how it may contradict itself, is for the module that asked (Appendices D.1 and I.1).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, TypeVar

from pydantic import ValidationError

from dart.chat.tasks import Rejected
from dart.core.records import Record
from dart.prompts.corrections import verdict_correction

R = TypeVar("R", bound=Record)

_FENCED = re.compile(r"```(?:json)?[ \t]*\n(?P<json>.*?)\n?[ \t]*```", re.DOTALL | re.IGNORECASE)


def read_verdict(text: str, kind: type[R]) -> R:
    """The verdict in `text`, which is one JSON object and nothing else; one code fence around it is tolerated.

    Args:
        kind: a record with a field `reason`, which must say something.

    Raises:
        Rejected: naming what is wrong, in words for the judge.
    """
    verdict = _validated(_loaded(text), kind)
    reason = str(getattr(verdict, "reason", ""))
    if not reason.strip():
        raise unreadable("reason is empty")
    if any("\ud800" <= character <= "\udfff" for character in reason):  # JSON can spell what no file can hold
        raise unreadable("reason holds half of a surrogate pair")
    return verdict


def unreadable(problem: str) -> Rejected:
    """What is raised of a verdict that cannot be used: `problem` goes back to the judge."""
    return Rejected(verdict_correction(problem))


def _loaded(text: str) -> Any:
    stripped = text.strip()
    fenced = _FENCED.fullmatch(stripped)
    try:
        return json.loads(fenced["json"] if fenced else stripped, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        raise unreadable(f"it is not a single JSON object ({error.msg} at character {error.pos})") from None
    except (RecursionError, ValueError):  # ValueError: an integer of more than 4,300 digits
        raise unreadable("it is not a single JSON object that can be read") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    repeated = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
    if repeated:
        raise unreadable(f"the key {repeated[0]} occurs twice")
    return dict(pairs)


def _validated(value: Any, kind: type[R]) -> R:
    if not isinstance(value, dict):
        raise unreadable(f"it is a JSON {type(value).__name__} and not a JSON object")
    try:
        return kind.model_validate(value, strict=True)
    except ValidationError as error:
        found = [f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in error.errors()]
        raise unreadable("; ".join(found)) from None
