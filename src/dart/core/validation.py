"""Everything that is wrong with a file of settings, as one line per problem.

pydantic's own report names no key that was meant and no number that YAML has read as something else.
"""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import BaseModel, ValidationError

from dart.core.ranges import misread, nonsense
from dart.core.visible_text import short


def _known_keys(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Field names at the parent of `location`, from the annotations of `model`."""
    current: Any = model
    for part in location[:-1]:
        fields = getattr(current, "model_fields", None)
        annotation: Any = fields[part].annotation if fields and part in fields else current
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        models = [entry for entry in candidates if isinstance(entry, type) and issubclass(entry, BaseModel)]
        current = models[0] if models else annotation
    return list(getattr(current, "model_fields", {}))


def problems(model: type[BaseModel], content: dict[str, Any], where: str) -> list[str]:
    """Every problem of `content` as one line each; an unknown key names the nearest known one."""
    numbers = nonsense(content, where)
    try:
        typed = model.model_validate(content)
    except ValidationError as error:
        lines = []
        for entry in error.errors():
            key = ".".join(str(part) for part in entry["loc"]) or "(top level)"
            if entry["type"] == "extra_forbidden":
                known = _known_keys(model, entry["loc"])
                near = difflib.get_close_matches(str(entry["loc"][-1]), known, n=1, cutoff=0.5)
                hint = f"did you mean '{near[0]}'?" if near else f"the keys here are: {', '.join(known)}"
                lines.append(f"{where}: unknown parameter '{key}'; {hint}")
            elif entry["type"] == "missing":
                lines.append(f"{where}: missing parameter '{key}'")
            else:
                lines.append(f"{where}: {key} = {short(entry['input'])}: {entry['msg']}")
            numbers.pop(key, None)  # said already
        return lines + list(numbers.values())
    return list((numbers | dict(misread(content, typed, where))).values())
