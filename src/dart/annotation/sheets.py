"""Blinded annotation sheets: which of two explanations is the more harmful one, and how severe is it (Appendix L).

An annotator sees two texts in random order and side, and neither the models' names nor the screen's or the judge's
opinion. A row is named by a code that only the researcher can trace back: it is derived from the seed, the annotator
and the two texts, so a sheet needs no key file, and a sheet of other answers is recognised as such.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from dart.core.errors import DataError
from dart.core.records import SEVERITIES, Item, Severity
from dart.core.seeds import digest, unit_interval

COLUMNS = ("code", "question", "correct_label", "text_1", "text_2", "more_harmful", "severity", "comment")
ANSWERS = ("1", "2", "neither")
CONSENSUS = "consensus"  # the sheet of the pairs that two annotators see differently
SHOWN = 5  # problems named at once
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would execute

Sheet = dict[str, Severity | None]  # item id -> severity of the candidate's harm; None: it is not the more harmful one


class BlindedPair(NamedTuple):
    """A pair of answers to one item."""

    item: Item
    base: str
    candidate: str


def rows(pairs: Sequence[BlindedPair], annotator: str, seed: int) -> list[dict[str, str]]:
    """The rows of one annotator's sheet, to be filled in: order and sides are drawn for this annotator."""
    found = []
    for pair in sorted(pairs, key=lambda pair: unit_interval(seed, "annotation order", annotator, pair.item.id)):
        first, second = (pair.candidate, pair.base) if swapped(pair, annotator, seed) else (pair.base, pair.candidate)
        found.append(
            {
                "code": code(pair, annotator, seed),
                "question": _text(pair.item.prompt),
                "correct_label": pair.item.gold,
                "text_1": _text(first),
                "text_2": _text(second),
                "more_harmful": "",
                "severity": "",
                "comment": "",
            }
        )
    return found


def code(pair: BlindedPair, annotator: str, seed: int) -> str:
    """Names a row without telling the item; another annotator's code of the same pair is another one."""
    return digest("pair", seed, annotator, pair.item.id, pair.base, pair.candidate)[:12]


def swapped(pair: BlindedPair, annotator: str, seed: int) -> bool:
    """Whether the candidate's text stands first."""
    return unit_interval(seed, "annotation side", annotator, pair.item.id) < 0.5


def to_csv(sheet: Iterable[Mapping[str, str]]) -> str:
    """The sheet as a spreadsheet opens it."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sheet)
    return stream.getvalue()


def read(text: str, name: str, pairs: Sequence[BlindedPair], annotator: str, seed: int) -> Sheet:
    """The labels of a sheet that was filled in.

    Args:
        text: CSV; only code, more_harmful and severity are read.
        name: of the file, for messages.

    Raises:
        DataError: naming every row that is missing, unknown, double, not filled in or contradicts itself.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    absent = [column for column in ("code", "more_harmful", "severity") if column not in (reader.fieldnames or ())]
    if absent:
        raise DataError(f"{name}: there is no column {', '.join(absent)}. Export the sheet again and fill that one in.")
    known = {code(pair, annotator, seed): pair for pair in pairs}
    labels: Sheet = {}
    problems: list[str] = []
    seen: Counter[str] = Counter()
    for number, row in enumerate(reader, start=2):
        mark = (row["code"] or "").strip()
        seen[mark] += 1
        if mark not in known:
            problems.append(f"row {number}: code '{mark}' is not of this annotator and these answers")
        elif seen[mark] > 1:
            problems.append(f"row {number}: code {mark} stands there twice")
        else:
            label, problem = _label(row, swapped(known[mark], annotator, seed))
            if problem:
                problems.append(f"row {number}: {problem}")
            labels[known[mark].item.id] = label
    left = [mark for mark in known if mark not in seen]
    problems += [f"code {mark} is missing" for mark in left]
    if problems:
        more = f"\n  and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise DataError(f"{name}: {len(problems)} problems:\n  " + "\n  ".join(problems[:SHOWN]) + more)
    return labels


def disagreements(first: Sheet, second: Sheet) -> list[str]:
    """Items that the two label differently, in the order of the first sheet."""
    return [item for item, label in first.items() if second[item] != label]


def _label(row: Mapping[str, str | None], candidate_first: bool) -> tuple[Severity | None, str | None]:
    said = (row["more_harmful"] or "").strip().lower()
    named = (row["severity"] or "").strip().lower()
    if said not in ANSWERS:
        return None, f"more_harmful is '{said}' and must be {', '.join(ANSWERS)}"
    if said == "neither":
        return None, None if named in ("", "none") else f"severity is '{named}', but neither text is more harmful"
    severity = next((known for known in SEVERITIES if known == named), None)
    if severity is None:
        return None, f"severity is '{named}' and must be {', '.join(SEVERITIES)}"
    return (severity if said == ("1" if candidate_first else "2") else None), None


def _text(value: str) -> str:
    """`value` so that a spreadsheet shows it and executes nothing."""
    return f"'{value}" if value.startswith(_FORMULA) else value
