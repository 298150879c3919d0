"""Read a benchmark of the reader's own: one JSON object a line, ``{"prompt", "label": "YES" | "NO"}``.

Optional keys: `benchmark` (default "own"), `scenario` (items that are variants of one another; default: each its
own), `id` (must be unique). All problems are reported at once, because such files are edited by hand.
Section 2.1: the task is any prompt about groups with a binary label.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from dart.core.errors import DataError
from dart.core.records import BENCHMARKS, Condition, Label, Record
from dart.core.text_files import json_object, lines_of, read_text
from dart.core.visible_text import short, shown
from dart.suite.raw import CONDITIONS, NO_ANSWER, RawItem

_MAX_PROBLEMS = 50
# Rows of every table, the entry of sizes for all others, and the paper's benchmarks, whose senses prompts explain.
RESERVED = frozenset({"overall", "DIFF", "EQUAL", "default", *BENCHMARKS})
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
    prompts: dict[int, str] = {}
    for number, text in enumerate(lines_of(read_text(path)), start=1):
        if not text.strip():
            continue
        line = _line(text, f"{path}:{number}", problems)
        if line is None:
            continue
        keys = [("prompt", same_prompt(line.prompt))] + ([] if line.id is None else [("id", str(line.id))])
        for key in keys:
            if key in seen:
                but = ", but for case and blanks" if key[0] == "prompt" and line.prompt != prompts[seen[key]] else ""
                problems.append(f"{path}:{number}: the same {key[0]} as in line {seen[key]}{but}")
            seen.setdefault(key, number)
        prompts[number] = line.prompt
        if line.benchmark in RESERVED:
            problems.append(f"{path}:{number}: benchmark {line.benchmark} is a reserved name: choose another")
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


def same_prompt(prompt: str) -> str:
    """The prompt as it counts for repetitions: without case, blanks and compatible forms of letters.

    Prompts that differ in these only would stand in different splits, and a student would be tested on what it was
    trained on.
    """
    return "".join(unicodedata.normalize("NFKC", prompt).casefold().split())


def _line(text: str, where: str, problems: list[str]) -> _Line | None:
    try:
        return _Line.model_validate(json_object(text), strict=True)
    except ValidationError as error:
        for entry in error.errors():
            # A union is reported once per member; the key is enough.
            key = shown(str(entry["loc"][0])) if entry["loc"] else "line"
            value = f", found {short(entry['input'])}" if key in ("label", "benchmark") and "input" in entry else ""
            problems.append(f"{where}: {key}: {entry['msg']}{value if entry['type'] != 'missing' else ''}")
    except ValueError as error:
        problems.append(f"{where}: not a JSON object: {error}")
    return None


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
