"""Read a benchmark of the reader's own: one JSON object a line, ``{"prompt", "label": "YES" | "NO"}``.

Optional keys: `benchmark` (default "own"), `scenario` (items that are variants of one another; default: each its
own), `id` (must be unique). All problems are reported at once, because such files are edited by hand.
Section 2.1: the task is any prompt about groups with a binary label.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from dart.core.errors import DataError
from dart.core.records import Condition, Label, Record
from dart.suite.raw import CONDITIONS, NO_ANSWER, RawItem

_MAX_PROBLEMS = 50
_CONDITION: dict[Label, Condition] = {"YES": "DIFF", "NO": "EQUAL"}


# The pattern also makes pydantic refuse text that is not valid Unicode, which could not be written later.
_Text = Annotated[str, Field(pattern=r"\S")]


class _Line(Record):
    prompt: _Text
    label: Label
    benchmark: str = Field(default="own", pattern=r"^[A-Za-z0-9_.]+$")  # no '-', which separates the parts of item ids
    scenario: _Text | int | None = None
    id: _Text | int | None = None


def read_own(path: Path) -> list[RawItem]:
    """Read and check the whole file; an item's index is its line number, so that its id points into the file.

    Raises:
        DataError: listing every malformed line, unknown label, duplicate and one-sided benchmark, as file:line.
    """
    problems: list[str] = []
    items: list[RawItem] = []
    seen: dict[tuple[str, str], int] = {}
    for number, text in enumerate(_text(path).split("\n"), start=1):
        if not text.strip():
            continue
        line = _line(text, f"{path}:{number}", problems)
        if line is None:
            continue
        keys = [("prompt", line.prompt.strip())] + ([] if line.id is None else [("id", str(line.id))])
        for key in keys:
            if key in seen:
                problems.append(f"{path}:{number}: the same {key[0]} as in line {seen[key]}")
            seen.setdefault(key, number)
        items.append(
            RawItem(
                benchmark=line.benchmark,
                condition=_CONDITION[line.label],
                index=number,
                question=line.prompt,
                answer=NO_ANSWER,
                scenario=f"line {number}" if line.scenario is None else str(line.scenario),
            )
        )
    problems.extend(_one_sided(items, path))
    if not items and not problems:
        problems.append(f"{path}:1: the file is empty")
    if problems:
        more = f"\n  ... and {len(problems) - _MAX_PROBLEMS} more" if len(problems) > _MAX_PROBLEMS else ""
        raise DataError(
            f"{len(problems)} problem(s) in {path.name}:\n  " + "\n  ".join(problems[:_MAX_PROBLEMS]) + more + "\n"
            'Each line must be {"prompt": ..., "label": "YES" or "NO"}, optionally with benchmark, scenario and id.'
        )
    return items


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from None


def _line(text: str, where: str, problems: list[str]) -> _Line | None:
    try:
        return _Line.model_validate(json.loads(text, object_pairs_hook=_no_key_twice), strict=True)
    except ValidationError as error:
        for entry in error.errors():
            # A union is reported once per member; the key is enough.
            key = str(entry["loc"][0]) if entry["loc"] else "line"
            value = f", found {entry['input']!r}" if key in ("label", "benchmark") and "input" in entry else ""
            problems.append(f"{where}: {key}: {entry['msg']}{value if entry['type'] != 'missing' else ''}")
    except ValueError as error:
        problems.append(f"{where}: not a JSON object: {error}")
    except RecursionError:
        problems.append(f"{where}: not a JSON object: nested too deeply")
    return None


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key occurs twice")
    return dict(pairs)


def _one_sided(items: list[RawItem], path: Path) -> list[str]:
    """A benchmark with one label only cannot be split or scored."""
    first: dict[str, int] = {}
    conditions: defaultdict[str, set[Condition]] = defaultdict(set)
    for item in items:
        first.setdefault(item.benchmark, item.index)
        conditions[item.benchmark].add(item.condition)
    labels = {condition: label for label, condition in _CONDITION.items()}
    return [
        f"{path}:{first[name]}: benchmark {name} does not have an item with label {labels[condition]}"
        for name in sorted(conditions)
        for condition in CONDITIONS
        if condition not in conditions[name]
    ]
