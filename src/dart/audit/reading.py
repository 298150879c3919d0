"""Answers of up to three models to the same prompts, read from files and brought into one order, or why they cannot.

Nothing is dropped and nothing is guessed: a prompt that one side lacks, an id that stands for two prompts, a score that
is no number end the audit before anything is paid. Section 2.4 ("paired generation").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dart.compare.comparison import METADATA
from dart.compare.reader import Output, Outputs, Problems, read_outputs
from dart.core.errors import DataError
from dart.core.records import Condition, Generation, Item, Label

ROLES = ("base", "tuned", "third")
UNNAMED = "prompts"  # the benchmark of prompts that name none
_CONDITION: Mapping[Label, Condition] = {"YES": "DIFF", "NO": "EQUAL"}


class Prompts(NamedTuple):
    """The prompts of an audit as items.

    An `Item` has a gold label always. Without gold labels (`has_gold` false) NO stands there and nothing reads it: the
    judge gets `labels`, statistics of decisions are left out, and pages show none.
    """

    items: list[Item]
    has_gold: bool
    has_benchmarks: bool
    has_text: bool  # without the prompts' texts nobody can be asked

    @property
    def labels(self) -> dict[str, Label]:
        """The gold labels by id; {} shows the judge none."""
        return {item.id: item.gold for item in self.items} if self.has_gold else {}


class Side(NamedTuple):
    """One model's answers, in the order of the prompts; `name` for pages, `about` says where they are from."""

    name: str
    about: str
    answers: list[Generation]

    @property
    def scored(self) -> bool:
        return all(answer.toxicity is not None for answer in self.answers)


def read_prompts(path: Path) -> Outputs:
    """A file of prompts: id, prompt; optional gold, benchmark and scenario.

    Raises:
        DataError: naming file, line and id.
    """
    prompts = read_outputs(path, "prompts")
    problems = Problems(str(path))
    for row in prompts.rows:
        if not (row.prompt or "").strip():
            problems.add("empty prompt", f"{row.id} (line {row.line})")
    problems.raise_any("Every row needs a prompt.")
    return prompts


def read_answers(path: Path) -> Outputs:
    """A file of answers: id, and text or rationale; optional prompt, gold, prediction, toxicity.

    Raises:
        DataError: naming file, line and id.
    """
    answers = read_outputs(path, "explanations")
    problems = Problems(str(path))
    for row in answers.rows:
        if row.text is None and row.rationale is None:
            problems.add("neither text nor rationale", f"{row.id} (line {row.line})")
    problems.raise_any("An answer may be empty text, but not missing.")
    return answers


def join_prompts(prompts: Outputs | None, answers: Sequence[Outputs]) -> Prompts:
    """The prompts that all files are about: in the order of the file of prompts, or of the first file of answers.

    Raises:
        DataError: ids that are not in every file, two prompts or two labels under one id, or nothing to read.
    """
    files = [*([] if prompts is None else [prompts]), *answers]
    if not files:
        raise DataError("no side is a file of answers, so the prompts are needed: --prompts FILE.")
    rows = [{row.id: row for row in file.rows} for file in files]
    problems = Problems(" and ".join(file.name for file in files))
    for file, by_id in zip(files, rows, strict=True):
        others = [other.keys() for other in rows if other is not by_id]
        for key in by_id:
            if not all(key in other for other in others):
                problems.add(f"id in {file.name} and not in every other file", f"{key} (line {by_id[key].line})")
    if problems.kinds:
        problems.raise_any("All files must be about the same prompts.")
    values = {key: _joined(key, [by_id[key] for by_id in rows], problems) for key in rows[0]}
    for name in ("prompt", "gold"):
        missing = [key for key, fields in values.items() if fields[name] is None]
        if 0 < len(missing) < len(values):
            for key in missing:
                problems.add(f"no {name} though others have one", key)
    problems.raise_any("One id stands for one prompt; give all files of the same set of prompts.")
    some = next(iter(values.values()))
    return Prompts(
        [_item(key, fields) for key, fields in values.items()],
        has_gold=some["gold"] is not None,
        has_benchmarks=any(fields["benchmark"] for fields in values.values()),
        has_text=some["prompt"] is not None,
    )


def _joined(key: str, rows: Sequence[Output], problems: Problems) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in ("prompt", *METADATA):
        stated = {getattr(row, name) for row in rows} - {None}
        if len(stated) > 1:
            problems.add("different prompts under one id" if name == "prompt" else f"'{name}' differs", key)
        fields[name] = next(iter(stated), None)
    return fields


def _item(key: str, fields: Mapping[str, Any]) -> Item:
    gold: Label = fields["gold"] or "NO"
    return Item(
        id=key,
        benchmark=fields["benchmark"] or UNNAMED,
        condition=_CONDITION[gold],
        gold=gold,
        prompt=fields["prompt"] or "",
        scenario=fields["scenario"] or key,
    )


def as_side(outputs: Outputs, role: str, items: Sequence[Item]) -> Side:
    """A file of answers as generations, in the order of `items`, whose ids it has."""
    rows = {row.id: row for row in outputs.rows}
    answers = [_generation(rows[item.id], role, outputs.name) for item in items]
    return Side(Path(outputs.name).stem, f"answers of {outputs.name}", answers)


def _generation(row: Output, role: str, name: str) -> Generation:
    rationale = row.rationale if row.rationale is not None else ""
    return Generation(
        item_id=row.id,
        variant=role,
        text=row.text if row.text is not None else rationale,
        rationale=rationale,
        prediction=row.prediction,
        new_tokens=0,
        model=Path(name).stem,
        revision="",
        prompt_hash="",
        toxicity=row.toxicity,
    )
