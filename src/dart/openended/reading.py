"""A second reading of the open-ended questions: blinded questions out, labels back, agreement with the gold labels.

The gold label of a question is one person's reading of a rule. A second reader labels the same questions without label,
premise flag, note or source; where the two differ, the question is looked at again. `second_reading.jsonl` keeps the
last reading with the labels of that day, and READING.md says what came of it. Section 3.4, Appendix I.1.

    python -m dart.openended.reading export questions.jsonl
    python -m dart.openended.reading compare labels.jsonl
    python -m dart.openended.reading compare                 # the reading on record
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

from dart.core.errors import DartError, DataError
from dart.core.files import read_jsonl, write_jsonl
from dart.core.records import Label, Record
from dart.core.seeds import unit_interval
from dart.openended.questions import DOMAINS, Domain, Group, Question, load
from dart.stats.agreement import kappa, share
from dart.stats.intervals import Interval


class BlindedQuestion(Record):
    """What a second reader sees of a question."""

    id: str
    domain: Domain
    place: str
    as_of: str
    groups: tuple[Group, ...]
    question: str


class Reading(Record):
    """What a second reader says of a question: YES if a correct answer has to take the groups into account."""

    id: str
    label: Label
    harmful_premise: bool | None = None  # None: not read for premises
    comment: str = ""


class RecordedReading(Reading):
    """A reading of the past, with the gold label and premise flag of that day and the version that was read."""

    gold: Label
    gold_premise: bool
    version: str  # `version` of the question as it was read


class Agreement(NamedTuple):
    """Agreement of the readings with the set; `disagreements` names the questions in the order of the set."""

    n: int
    same: Interval  # share of equal labels, Wilson
    kappa: Interval  # Cohen's kappa of the labels
    premise_kappa: Interval | None  # of the premise flags; None if none was read
    disagreements: tuple[tuple[Question, Reading], ...]


class RecordedAgreement(NamedTuple):
    """Agreement with the labels of the day of the reading, and what became of the questions since; all by id."""

    n: int
    same: Interval  # share of equal labels, Wilson
    kappa: Interval  # Cohen's kappa of the labels
    premise_kappa: Interval
    disagreements: tuple[str, ...]
    mended: tuple[str, ...]  # read in an earlier wording, or with another place, date or group
    dropped: tuple[str, ...]
    unread: tuple[str, ...]  # written after the reading


def blinded(questions: Sequence[Question]) -> list[BlindedQuestion]:
    """The questions as a second reader sees them, in an order by hash, so that no order tells anything."""
    fields = BlindedQuestion.model_fields
    order = sorted(questions, key=lambda question: unit_interval("second reading", question.id))
    return [BlindedQuestion.model_validate(question.model_dump(include=set(fields))) for question in order]


def version(question: Question) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of what a second reader sees of `question`."""
    shown = question.model_dump(mode="json", include=set(BlindedQuestion.model_fields))
    return hashlib.sha256(json.dumps(shown, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def recorded_readings() -> list[RecordedReading]:
    """The second reading of the package, in the order of the set that was read."""
    with as_file(files("dart.openended") / "second_reading.jsonl") as path:
        return read_jsonl(path, RecordedReading)


def compare_recorded(
    questions: Sequence[Question], readings: Sequence[RecordedReading], confidence: float = 0.95
) -> RecordedAgreement:
    """Agreement of a reading with the labels of its day; later changes of `questions` alter its lists, not its rates.

    Raises:
        DataError: `readings` is empty.
    """
    versions = {question.id: version(question) for question in questions}
    read = {reading.id for reading in readings}
    labels = [(reading.gold, reading.label) for reading in readings]
    flags = [(r.gold_premise, r.harmful_premise) for r in readings if r.harmful_premise is not None]
    return RecordedAgreement(
        n=len(readings),
        same=share(sum(gold == second for gold, second in labels), len(labels), confidence),
        kappa=kappa([gold for gold, _ in labels], [second for _, second in labels], confidence),
        premise_kappa=kappa([flag for flag, _ in flags], [second for _, second in flags], confidence),
        disagreements=tuple(reading.id for reading in readings if reading.gold != reading.label),
        mended=tuple(r.id for r in readings if r.id in versions and versions[r.id] != r.version),
        dropped=tuple(reading.id for reading in readings if reading.id not in versions),
        unread=tuple(question.id for question in questions if question.id not in read),
    )


def compare(questions: Sequence[Question], readings: Sequence[Reading], confidence: float = 0.95) -> Agreement:
    """Agreement of a second reader with the gold labels and premise flags.

    Raises:
        DataError: a reading is of an unknown question, a question was read twice or not at all.
    """
    by_id = {reading.id: reading for reading in readings}
    known = {question.id for question in questions}
    unknown, missing = sorted(by_id.keys() - known), sorted(known - by_id.keys())
    if len(by_id) < len(readings) or unknown or missing:
        raise DataError(
            f"the readings do not fit the {len(questions)} questions: {len(readings) - len(by_id)} repeated, "
            f"{len(unknown)} unknown ({', '.join(unknown[:5])}), {len(missing)} missing ({', '.join(missing[:5])}). "
            "Each question needs one line; `export` writes the questions of this version."
        )
    pairs = [(question, by_id[question.id]) for question in questions]
    gold, second = [q.gold for q, _ in pairs], [reading.label for _, reading in pairs]
    premises = [(q.harmful_premise, r.harmful_premise) for q, r in pairs if r.harmful_premise is not None]
    flags, read = [flag for flag, _ in premises], [flag for _, flag in premises]
    return Agreement(
        n=len(pairs),
        same=share(sum(map(str.__eq__, gold, second)), len(pairs), confidence),
        kappa=kappa(gold, second, confidence),
        premise_kappa=kappa(flags, read, confidence) if premises else None,
        disagreements=tuple((q, r) for q, r in pairs if q.gold != r.label),
    )


def summary(questions: Sequence[Question], readings: Sequence[Reading]) -> str:
    """The agreement of all questions and of each domain, and a line for each disagreement, as text."""
    lines = []
    for name in ("all", *DOMAINS):
        part = [question for question in questions if name in ("all", question.domain)]
        ids = {question.id for question in part}
        result = compare(part, [reading for reading in readings if reading.id in ids or name == "all"])
        same = result.n - len(result.disagreements)
        line = f"{name}: {same} of {result.n} labels agree, {_text(result.same)}; kappa {_text(result.kappa)}"
        if result.premise_kappa is not None:
            line += f"; kappa of the premise flags {_text(result.premise_kappa)}"
        lines.append(line)
    everything = compare(questions, readings)
    for question, reading in everything.disagreements:
        lines.append(f"{question.id}: gold {question.gold}, second reader {reading.label}. {question.question}")
        lines.append(f"    note: {question.rationale_note}")
        lines.append(f"    second reader: {reading.comment or '(no comment)'}")
    return "\n".join(lines)


def summary_recorded(questions: Sequence[Question], readings: Sequence[RecordedReading]) -> str:
    """The agreement on record, and the questions that have changed since, as text."""
    result = compare_recorded(questions, readings)
    lists = {name: getattr(result, name) for name in ("disagreements", "mended", "dropped", "unread")}
    return "\n".join(
        [
            f"{result.n - len(result.disagreements)} of {result.n} labels agreed, {_text(result.same)}; "
            f"kappa {_text(result.kappa)}; kappa of the premise flags {_text(result.premise_kappa)}",
            *(f"{name}: {len(ids)} ({', '.join(ids) or 'none'})" for name, ids in lists.items()),
        ]
    )


def _text(interval: Interval) -> str:
    if interval.estimate is None or interval.low is None or interval.high is None:
        return "undefined"
    return f"{interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def main(arguments: Sequence[str] | None = None) -> None:
    """`export FILE` writes the blinded questions; `compare FILE` prints the agreement with FILE, or with the record."""
    parser = argparse.ArgumentParser(prog="python -m dart.openended.reading", description=main.__doc__)
    parser.add_argument("action", choices=("export", "compare"))
    parser.add_argument("file", type=Path, nargs="?")
    chosen = parser.parse_args(arguments)
    if chosen.action == "export" and chosen.file is None:
        parser.error("export needs the file to write")
    questions = load()
    if chosen.action == "export":
        print(f"{write_jsonl(chosen.file, blinded(questions))} questions in {chosen.file}")
    elif chosen.file is None:
        print(summary_recorded(questions, recorded_readings()))
    else:
        print(summary(questions, read_jsonl(chosen.file, Reading)))


if __name__ == "__main__":
    try:
        main()
    except DartError as error:
        sys.exit(str(error))
