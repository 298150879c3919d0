"""Read a file of model outputs, or of suite items, and report everything that is wrong with it at once.

`dart.compare.comparison` compares two such files. JSON lines or CSV, one row per prompt; a damaged line, an unknown
label or column, an id that occurs twice is an error that names file, line and id. Nothing is dropped.

Columns (JSONL keys): `id` (or `item_id`); `gold` YES, NO, DIFF or EQUAL, unless a suite file gives it; `prediction`
YES, NO or empty for an answer that could not be parsed; without a `prediction`, `text` (or `raw_text`), the raw
answer, is parsed. Optional: `benchmark`, `scenario`, `toxicity`, `hate`, `rationale` (where it is empty, a score says
nothing about harm), and the other fields of this project's generations and items, which are not needed here.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dart.core.errors import DataError
from dart.core.records import Generation, Item, Label, Record
from dart.prompts.answer_format import parse

SCORES = ("toxicity", "hate")
RESERVED = ("overall", "DIFF", "EQUAL")  # rows of a comparison, so no benchmark may be called that

_GOLD: Mapping[str, Label] = {"YES": "YES", "NO": "NO", "DIFF": "YES", "EQUAL": "NO"}
_PREDICTION: Mapping[str, Label] = {"YES": "YES", "NO": "NO"}
_ALIASES = {"item_id": "id", "raw_text": "text"}
_COLUMNS = (set(Generation.model_fields) | set(Item.model_fields) | {"id", "text", *SCORES}) - {"item_id"}
_GROUPS = ("benchmark", "scenario")
_MAX_EXAMPLES = 5
_INVALID: Any = object()


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


def read_outputs(path: Path, suite: bool = False) -> Outputs:
    """Read a file of outputs, or with `suite` one of items, which needs a gold label and no answer.

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
            problems.add("unknown column", f"{', '.join(unknown)} (line {line})")
        if "id" not in row:
            problems.add("no column 'id'", f"line {line}")
        elif suite and "gold" not in row:
            problems.add("no column 'gold'", f"line {line}")
        elif not suite and "prediction" not in row and "text" not in row:
            problems.add("no column 'prediction' or 'text'", f"line {line}")
        elif (output := _output(row, line, problems)) is not None:
            rows.append(output)
    if not rows and not problems.kinds:
        raise DataError(f"{path}: the file has no rows. Give a file with one row per prompt.")
    for key, count in Counter(output.id for output in rows).items():
        if count > 1:
            lines = [str(output.line) for output in rows if output.id == key]
            problems.add("duplicate id", f"{key} (lines {' and '.join(lines[:3])})")
    for name in ("gold", *_GROUPS, *SCORES):
        _all_or_none(rows, name, problems)
    problems.raise_any(f"Correct the file; columns may be {', '.join(sorted(_COLUMNS))}.")
    return Outputs(str(path), rows)


def _all_or_none(rows: Sequence[Output], name: str, problems: Problems) -> None:
    empty = [output for output in rows if getattr(output, name) is None]
    if 0 < len(empty) < len(rows):
        for output in empty:
            problems.add(f"'{name}' missing though other rows have it", f"{output.id} (line {output.line})")


def _rows(path: Path, problems: Problems) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if not path.is_file():
        raise DataError(f"{path} is missing. Give the path of a JSONL or CSV file of outputs.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8. Save the file as UTF-8 text.") from None
    yield from (_csv_rows if path.suffix.lower() == ".csv" else _json_rows)(text, problems)


def _json_rows(text: str, problems: Problems) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            problems.add("damaged line", f"{number} ({error.msg})")
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            problems.add("damaged line", f"{number} (not an object)")


def _csv_rows(text: str, problems: Problems) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    try:
        for cells in reader:
            if header is None:
                header = [cell.strip() for cell in cells]
                if len(set(header)) < len(header):
                    problems.add("damaged line", f"{reader.line_num} (a column name occurs twice)")
            elif cells and len(cells) != len(header):
                problems.add("damaged line", f"{reader.line_num} ({len(cells)} of {len(header)} columns)")
            elif cells:
                yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        problems.add("damaged line", f"{reader.line_num} ({error})")


def _output(row: Mapping[str, Any], line: int, problems: Problems) -> Output | None:
    """A row as a record; what is wrong with it goes to `problems`."""
    key = row["id"]
    if isinstance(key, int) and not isinstance(key, bool):
        key = str(key)
    if not isinstance(key, str) or not key.strip():
        problems.add("empty or invalid id", f"{key!r} (line {line})")
        return None
    where = f"{key} (line {line})"
    gold = _label(row.get("gold"), _GOLD)
    if gold is _INVALID:
        problems.add("unknown gold label", f"{row['gold']!r} of {where}")
    prediction: Any = None
    if "prediction" in row:
        prediction = _label(row["prediction"], _PREDICTION)
        if prediction is _INVALID:
            problems.add("unknown prediction", f"{row['prediction']!r} of {where}")
    elif isinstance(row.get("text"), str):
        prediction = parse(row["text"]).prediction
    elif row.get("text") is not None:
        problems.add("'text' that is not a string", where)
    scores = {name: _score(row.get(name)) for name in SCORES}
    for name in SCORES:
        if scores[name] is _INVALID:
            problems.add(f"'{name}' that is not a number in [0, 1]", f"{row[name]!r} of {where}")
    if any(value is _INVALID for value in (gold, prediction, *scores.values())):
        return None
    benchmark, scenario = (None if row.get(name) is None else str(row[name]).strip() or None for name in _GROUPS)
    if benchmark in RESERVED:
        problems.add("reserved benchmark name", f"{benchmark} of {where}")
    return Output(
        id=key, line=line, gold=gold, prediction=prediction, benchmark=benchmark, scenario=scenario,
        rationale=_rationale(row), **scores,
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
    try:
        number = float(value)
    except ValueError:
        return _INVALID
    return number if math.isfinite(number) and 0 <= number <= 1 else _INVALID
