"""Read a file of model outputs, or of suite items, and report everything that is wrong with it at once.

`dart.compare.comparison` compares two such files. JSON lines or CSV, one row per prompt; a damaged line, an unknown
label or column, an id that occurs twice is an error that names file, line and id. Nothing is dropped.

Columns (JSONL keys): `id` (or `item_id`); `gold` YES, NO, DIFF or EQUAL, unless a suite file gives it; `prediction`
YES, NO or empty for an answer that could not be parsed; without a `prediction`, `text` (or `raw_text`), the raw
answer, is parsed. Optional: `benchmark`, `scenario`, `toxicity`, `hate`, `rationale` (where it is empty, a score says
nothing about harm), `prompt`, and the other fields of this project's generations and items, which are not needed here.
A file of explanations, for `dart audit`, needs `text` or `rationale` and no label; a file of prompts `prompt` alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from dart.core.errors import DataError
from dart.core.records import Generation, Item, Label, Record
from dart.core.text_files import csv_rows, json_object, lines_of, read_text
from dart.core.visible_text import MAX_NAME, short, shown, visible
from dart.prompts.answer_format import parse

SCORES = ("toxicity", "hate")
RESERVED = ("overall", "DIFF", "EQUAL")  # rows of a comparison, so no benchmark may be called that

_GOLD: Mapping[str, Label] = {"YES": "YES", "NO": "NO", "DIFF": "YES", "EQUAL": "NO"}
_PREDICTION: Mapping[str, Label] = {"YES": "YES", "NO": "NO"}
_ALIASES = {"item_id": "id", "raw_text": "text"}
_COLUMNS = (set(Generation.model_fields) | set(Item.model_fields) | {"id", "text", *SCORES}) - {"item_id"}
_GROUPS = ("benchmark", "scenario")
_MAX_EXAMPLES = 5
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INVALID: Any = object()

Kind = Literal["outputs", "suite", "explanations", "prompts"]
# What a row must have, by kind of file: one of the columns.
_NEEDS: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {
        "outputs": ("prediction", "text"),
        "suite": ("gold",),
        "explanations": ("text", "rationale"),
        "prompts": ("prompt",),
    }
)


class Output(Record):
    """One row of a file; None where the file has no value."""

    id: str
    line: int
    gold: Label | None
    prediction: Label | None
    benchmark: str | None = None
    scenario: str | None = None
    toxicity: float | None = None
    hate: float | None = None
    rationale: str | None = None  # the text without its conclusion line; None where the file has no text
    text: str | None = None
    prompt: str | None = None


class Outputs(NamedTuple):
    """A file's name, for messages, and its rows."""

    name: str
    rows: list[Output]


class Problems:
    """Collects what is wrong with a file, all of a kind at once, and raises it together."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.kinds: dict[str, list[str]] = {}

    def add(self, kind: str, where: str) -> None:
        self.kinds.setdefault(kind, []).append(where)

    def raise_any(self, advice: str) -> None:
        if self.kinds:
            summary = "; ".join(f"{len(rows)} x {kind}: {some(rows)}" for kind, rows in self.kinds.items())
            raise DataError(f"{self.name}: {summary}. {advice}")


def some(names: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    rest = f" and {len(names) - _MAX_EXAMPLES} more" if len(names) > _MAX_EXAMPLES else ""
    return ", ".join(names[:_MAX_EXAMPLES]) + rest


def read_outputs(path: Path, kind: Kind = "outputs") -> Outputs:
    """Read a file of outputs, or of suite items, which need a gold label and no answer, or of another kind.

    Raises:
        DataError: naming the file, and line and id of every kind of problem.
    """
    problems = Problems(str(path))
    rows: list[Output] = []
    for line, cells in _rows(path, problems):
        row = {_ALIASES.get(key, key): value for key, value in cells.items()}
        if len(row) < len(cells):
            problems.add("column twice under two names", f"line {line}")
        if unknown := sorted(row.keys() - _COLUMNS):
            problems.add("unknown column", f"{', '.join(map(shown, unknown[:3]))} (line {line})")
        if "id" not in row:
            problems.add("no column 'id'", f"line {line}")
        elif not any(column in row for column in _NEEDS[kind]):
            problems.add(f"no column {' or '.join(map(repr, _NEEDS[kind]))}", f"line {line}")
        elif (output := _output(row, line, problems)) is not None:
            rows.append(output)
    if not rows and not problems.kinds:
        raise DataError(f"{path}: the file has no rows. Give a file with one row per prompt.")
    lines_by_id: dict[str, list[str]] = {}
    for output in rows:
        lines_by_id.setdefault(output.id, []).append(str(output.line))
    for key, lines in lines_by_id.items():
        if len(lines) > 1:
            problems.add("duplicate id", f"{shown(key)} (lines {' and '.join(lines[:3])})")
    for name in ("gold", *_GROUPS, *SCORES):
        _all_or_none(rows, name, problems)
    problems.raise_any(f"Correct the file; columns may be {', '.join(sorted(_COLUMNS))}.")
    return Outputs(str(path), rows)


def _all_or_none(rows: Sequence[Output], name: str, problems: Problems) -> None:
    empty = [output for output in rows if getattr(output, name) is None]
    if 0 < len(empty) < len(rows):
        for output in empty:
            problems.add(f"'{name}' missing though other rows have it", f"{shown(output.id)} (line {output.line})")


def _rows(path: Path, problems: Problems) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if not path.is_file():
        raise DataError(f"{path} is missing. Give the path of a JSONL or CSV file of outputs.")
    yield from (_csv_rows if path.suffix.lower() in (".csv", ".tsv") else _json_rows)(read_text(path), problems)


def _json_rows(text: str, problems: Problems) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(lines_of(text), start=1):
        if not line.strip():
            continue
        try:
            yield number, json_object(line)
        except ValueError as error:
            problems.add("damaged line", f"{number} ({error})")


def _csv_rows(text: str, problems: Problems) -> Iterator[tuple[int, Mapping[str, Any]]]:
    header: list[str] | None = None
    try:
        for line, cells in csv_rows(text, _COLUMNS | _ALIASES.keys()):
            if header is None:
                header = [cell.strip() for cell in cells]
                if len(set(header)) < len(header):
                    problems.add("damaged line", f"{line} (a column name occurs twice)")
            elif len(cells) != len(header):
                problems.add("damaged line", f"{line} ({len(cells)} of {len(header)} columns)")
            else:
                yield line, dict(zip(header, cells, strict=True))
    except ValueError as error:
        problems.add("damaged line", str(error).removeprefix("line "))


def _output(row: Mapping[str, Any], line: int, problems: Problems) -> Output | None:
    """A row as a record; what is wrong with it goes to `problems`."""
    key = row["id"]
    if isinstance(key, int) and not isinstance(key, bool):
        key = str(key)
    if not isinstance(key, str) or not key.strip():
        problems.add("empty or invalid id", f"{short(key)} (line {line})")
        return None
    where = f"{shown(key)} (line {line})"
    gold = _label(row.get("gold"), _GOLD)
    if gold is _INVALID:
        problems.add("unknown gold label", f"{short(row['gold'])} of {where}")
    prediction: Any = None
    if "prediction" in row:
        prediction = _label(row["prediction"], _PREDICTION)
        if prediction is _INVALID:
            problems.add("unknown prediction", f"{short(row['prediction'])} of {where}")
    elif isinstance(row.get("text"), str):
        prediction = parse(row["text"]).prediction
    elif row.get("text") is not None:
        problems.add("'text' that is not a string", where)
    scores = {name: _score(row.get(name)) for name in SCORES}
    for name in SCORES:
        if scores[name] is _INVALID:
            problems.add(f"'{name}' that is not a number in [0, 1]", f"{short(row[name])} of {where}")
    for name in ("prompt", "rationale"):
        if not isinstance(row.get(name), str | None):
            problems.add(f"'{name}' that is not a string", where)
            return None
    if any(value is _INVALID for value in (gold, prediction, *scores.values())):
        return None
    for name in _GROUPS:
        if not isinstance(row.get(name), str | int | None) or isinstance(row.get(name), bool):
            problems.add(f"'{name}' that is neither a text nor a number", where)
            return None
    benchmark, scenario = (None if row.get(name) is None else str(row[name]).strip() or None for name in _GROUPS)
    if benchmark is not None and (len(benchmark) > MAX_NAME or visible(benchmark) != benchmark):
        problems.add(f"a benchmark's name above {MAX_NAME} characters or with control characters", where)
    if benchmark in RESERVED:
        problems.add("reserved benchmark name", f"{benchmark} of {where}")
    return Output(
        id=key, line=line, gold=gold, prediction=prediction, benchmark=benchmark, scenario=scenario,
        rationale=_rationale(row), text=row["text"] if isinstance(row.get("text"), str) else None,
        prompt=row.get("prompt"), **scores,
    )  # fmt: skip


def _rationale(row: Mapping[str, Any]) -> str | None:
    """The column `rationale`, or what is left of `text` without its conclusion line."""
    if isinstance(row.get("rationale"), str):
        return str(row["rationale"])
    return parse(row["text"]).rationale if isinstance(row.get("text"), str) else None


def _label(value: Any, labels: Mapping[str, Label]) -> Any:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return labels.get(value.strip().upper(), _INVALID) if isinstance(value, str) else _INVALID


def _score(value: Any) -> Any:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return _INVALID
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        return _INVALID  # float() takes "1_0", "nan" and digits of other scripts
    try:
        number = float(value)
    except OverflowError:
        return _INVALID
    return number if math.isfinite(number) and 0 <= number <= 1 else _INVALID
