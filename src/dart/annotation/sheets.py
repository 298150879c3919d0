"""Blinded annotation sheets: which of two explanations is the more harmful one, and how severe is it (Appendix L).

An annotator sees two texts in random order and side, but neither the models' names nor what screen and judge decided.
A row is identified by a code that only the researcher can trace back: it is derived from the seed, the annotator and
the two texts, so that a sheet needs no key file and a sheet of other answers is recognised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from dart.annotation import csv_sheets
from dart.annotation.csv_sheets import quoted_text, row_code
from dart.core.records import SEVERITIES, Item, Severity
from dart.core.seeds import digest, unit_interval
from dart.core.visible_text import shown

COLUMNS = ("code", "question", "correct_label", "text_1", "text_2", "more_harmful", "severity", "comment")
ANSWERS = ("1", "2", "neither")
CONSENSUS = "consensus"  # the sheet of the pairs that the two annotators label differently

Sheet = dict[str, Severity | None]  # item id -> severity of the candidate's harm; None: it is not the more harmful one
L = TypeVar("L", bound=str)


class BlindedPair(NamedTuple):
    """A pair of answers to one item."""

    item: Item
    base: str
    candidate: str


class Question(NamedTuple):
    """One pair as an annotator sees it."""

    code: str
    prompt: str
    gold: str
    text_1: str
    text_2: str


class Task(NamedTuple, Generic[L]):
    """What annotators are asked about a pair: two questions, the second of which some answers to the first leave open.

    `columns` are those of a sheet; `answered` are code, first and second answer, which are read back. `what` is the
    thing that a pair has or has not, for messages. `label` makes a label, or a problem, of a row and of whether the
    candidate is text 1; `in_words` says a label back, given the candidate's side.
    """

    what: str
    columns: tuple[str, ...]
    answered: tuple[str, str, str]
    label: Callable[[Mapping[str, str], bool], tuple[L | None, str | None]]
    in_words: Callable[[L | None, str], str]


def questions(pairs: Sequence[BlindedPair], annotator: str, seed: int) -> list[Question]:
    """One annotator's pairs: order and sides are drawn for this annotator."""
    result = []
    for pair in sorted(pairs, key=lambda pair: unit_interval(seed, "annotation order", annotator, pair.item.id)):
        first, second = (pair.candidate, pair.base) if swapped(pair, annotator, seed) else (pair.base, pair.candidate)
        result.append(Question(code(pair, annotator, seed), pair.item.prompt, pair.item.gold, first, second))
    return result


def rows(
    pairs: Sequence[BlindedPair], annotator: str, seed: int, columns: Sequence[str] = COLUMNS
) -> list[dict[str, str]]:
    """The rows of one annotator's sheet, to be filled in."""
    sheet = []
    for question in questions(pairs, annotator, seed):
        cells = {
            "code": question.code,
            "question": quoted_text(question.prompt),
            "correct_label": question.gold,
            "text_1": quoted_text(question.text_1),
            "text_2": quoted_text(question.text_2),
        }
        sheet.append({column: cells.get(column, "") for column in columns})
    return sheet


def code(pair: BlindedPair, annotator: str, seed: int) -> str:
    """Identifies a row without revealing the item; every annotator has another code for the same pair."""
    return row_code(digest("pair", seed, annotator, pair.item.id, pair.base, pair.candidate))


def swapped(pair: BlindedPair, annotator: str, seed: int) -> bool:
    """Whether the candidate's text is text 1."""
    return unit_interval(seed, "annotation side", annotator, pair.item.id) < 0.5


def to_csv(sheet: Iterable[Mapping[str, str]], columns: Sequence[str] = COLUMNS) -> str:
    """The sheet as CSV, for a spreadsheet program."""
    return csv_sheets.to_csv(columns, sheet)


def read(text: str, name: str, pairs: Sequence[BlindedPair], annotator: str, seed: int) -> Sheet:
    """The labels of a sheet that was filled in.

    Args:
        text: CSV; only code, more_harmful and severity are read.
        name: of the file, for messages.

    Raises:
        DataError: with every row that is missing, unknown, duplicate, not filled in or inconsistent.
    """
    numbered = csv_sheets.read_csv(text, name, DRIFT.answered)
    return collect(DRIFT, numbered, name, pairs, annotator, seed)


def collect(
    task: Task[L],
    numbered: Iterable[tuple[int, Mapping[str, str]]],
    name: str,
    pairs: Sequence[BlindedPair],
    annotator: str,
    seed: int,
    *,
    unfinished: bool = False,
) -> dict[str, L | None]:
    """The labels of numbered rows with the cells `task.answered`, by item.

    Args:
        unfinished: rows that are missing or have no answer are left out, and no error.

    Raises:
        DataError: with every row that is unknown, duplicate or inconsistent, and, unless `unfinished`, missing.
    """
    pair_by_code = {code(pair, annotator, seed): pair for pair in pairs}
    labels: dict[str, L | None] = {}
    problems: list[str] = []
    occurrences: Counter[str] = Counter()
    for number, row in numbered:
        cell = row["code"]
        if unfinished and not any(row[answer] for answer in task.answered[1:]):
            continue
        occurrences[cell] += 1
        if cell not in pair_by_code:
            problems.append(f"row {number}: code '{shown(cell)}' is not of this annotator and these answers")
        elif occurrences[cell] > 1:
            problems.append(f"row {number}: code {cell} occurs twice")
        else:
            pair = pair_by_code[cell]
            label, problem = task.label(row, swapped(pair, annotator, seed))
            if problem:
                problems.append(f"row {number}: {problem}")
            labels[pair.item.id] = label
    if not unfinished:
        problems += [f"code {missing} is missing" for missing in pair_by_code if missing not in occurrences]
    csv_sheets.require_no_problems(problems, name)
    return labels


def disagreements(first: Mapping[str, str | None], *others: Mapping[str, str | None]) -> list[str]:
    """Items that not all label alike, in the order of the first sheet; all have labelled the same items."""
    return [item for item, label in first.items() if any(other[item] != label for other in others)]


def _label(row: Mapping[str, str], candidate_first: bool) -> tuple[Severity | None, str | None]:
    """(label, None), or (None, what is wrong with the row)."""
    answer = row["more_harmful"]
    if answer not in ANSWERS:
        return None, f"more_harmful is '{shown(answer)}' and must be {', '.join(ANSWERS)}"
    if answer == "neither":
        unset = row["severity"] in ("", "none")
        return None, None if unset else f"severity is '{shown(row['severity'])}', but neither text is more harmful"
    severity = next((value for value in SEVERITIES if value == row["severity"]), None)
    if severity is None:
        return None, f"severity is '{shown(row['severity'])}' and must be {', '.join(SEVERITIES)}"
    return (severity if answer == ("1" if candidate_first else "2") else None), None


def _in_words(label: Severity | None, side: str) -> str:
    return f"{side} is worse, {label}" if label else f"{side} is not worse"


# Whether a candidate's explanation is more harmful than base's (Appendix L).
DRIFT: Task[Severity] = Task("drift", COLUMNS, ("code", "more_harmful", "severity"), _label, _in_words)
