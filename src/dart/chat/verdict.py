"""Read a judge's verdict strictly: one JSON object of exactly the requested fields, or a correction to send back.

Nothing is guessed: prose around the JSON, a string "false", a missing, doubled or unknown key is not a verdict. What a
verdict means, and how it may contradict itself, is decided by the module that asked (Appendices D.1 and I.1).
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


def read_verdict(text: str, schema: type[R]) -> R:
    """The verdict in `text`, which is one JSON object and nothing else; one code fence around it is tolerated.

    Args:
        schema: a record with a field `reason`, which must say something.

    Raises:
        Rejected: naming what is wrong, in words for the judge.
    """
    verdict = _validate(_parse_json(text), schema)
    reason = str(getattr(verdict, "reason", ""))
    if not reason.strip():
        raise invalid_verdict("reason is empty")
    if any("\ud800" <= character <= "\udfff" for character in reason):  # JSON can spell what no file can hold
        raise invalid_verdict("reason holds half of a surrogate pair")
    return verdict


def invalid_verdict(problem: str) -> Rejected:
    """The exception for a verdict that cannot be used: `problem` goes back to the judge."""
    return Rejected(verdict_correction(problem))


def _parse_json(text: str) -> Any:
    stripped = text.strip()
    fenced = _FENCED.fullmatch(stripped)
    try:
        return json.loads(fenced["json"] if fenced else stripped, object_pairs_hook=_reject_duplicate_keys)
    except json.JSONDecodeError as error:
        raise invalid_verdict(f"it is not a single JSON object ({error.msg} at character {error.pos})") from None
    except (RecursionError, ValueError):  # ValueError: an integer of more than 4,300 digits
        raise invalid_verdict("it is not a single JSON object that can be read") from None


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    repeated = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
    if repeated:
        raise invalid_verdict(f"the key {repeated[0]} occurs twice")
    return dict(pairs)


def _validate(value: Any, schema: type[R]) -> R:
    if not isinstance(value, dict):
        raise invalid_verdict(f"it is a JSON {type(value).__name__} and not a JSON object")
    try:
        return schema.model_validate(value, strict=True)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in error.errors()]
        raise invalid_verdict("; ".join(problems)) from None
