"""Files to the annotators and labels back: what `dart annotate` does with the current run's sample.

Annotators work alone on blinded files, a page for the browser or a sheet for a spreadsheet program; what they disagree
on is discussed on a file of its own, and only the result is written into the repository, without texts (Appendix L).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from dart.annotation import csv_sheets, labels, sheets
from dart.annotation.sheets import CONSENSUS, BlindedPair, Question, swapped
from dart.annotation.study import Draw, Study, draw, read_study, write_study
from dart.core.errors import DataError
from dart.core.files import replacing
from dart.core.text_files import json_object, lines_of, read_text
from dart.stats.agreement import kappa
from dart.stats.intervals import Interval

Sheet = Mapping[str, str | None]  # item id -> label

# (file's name, questions, by code what each annotator said; empty for an annotator's own page) -> the page
PageMaker = Callable[[str, Sequence[Question], Mapping[str, Sequence[str]]], str]


class Progress(NamedTuple):
    """How far the annotators are and how well they agree, pair by pair of annotators, on what both have labelled."""

    done: dict[str, int]
    pairs: int
    agreement: list[tuple[str, str, int, Interval]]  # two annotators, pairs that both labelled, kappa of `what`
    what: str = "drift"

    @property
    def lines(self) -> list[str]:
        """One sentence each, for the terminal."""
        text = [
            f"{name}: {n} of {self.pairs} pairs labelled" + (f", {self.pairs - n} left" if n < self.pairs else "")
            for name, n in self.done.items()
        ]
        for first, second, n, value in self.agreement:
            shown = "undefined (one label only)" if value.estimate is None else f"{value.estimate:.3f}"
            if value.low is not None and value.high is not None:
                shown += f" [{value.low:.3f}, {value.high:.3f}]"
            text.append(f"{first} and {second}: Cohen's kappa of {self.what} or none, on {n} pairs: {shown}")
        return text


class ImportResult(NamedTuple):
    """Labels that were written, how many of them were discussed, what is left, and the file that holds the labels."""

    labels: int
    discussed: int
    progress: Progress
    path: Path


def export_sheets(
    folder: Path, study: Study, page: PageMaker, drawer: Callable[[Study], Draw] | None = None
) -> tuple[int, list[Path]]:
    """Write a page and a sheet per annotator into `folder`; the number of pairs, and the pages.

    Args:
        drawer: the pairs of the study; None: pairs of variants, as `draw` draws them.

    Raises:
        DataError: a file exists already, or the run's answers and audit are missing.
    """
    drawn = (drawer or draw)(study)
    columns = drawn.task.columns
    names = [f"{name}.{kind}" for name in study.annotators for kind in ("html", "csv")]
    existing = [name for name in names if (folder / name).exists()]
    if existing:
        raise DataError(
            f"{', '.join(str(folder / name) for name in existing)} exists and may hold somebody's work: choose another "
            "folder."
        )
    for name in study.annotators:
        _write(folder / f"{name}.html", page(name, sheets.questions(drawn.pairs, name, drawn.seed), {}))
        _write(folder / f"{name}.csv", sheets.to_csv(sheets.rows(drawn.pairs, name, drawn.seed, columns), columns))
    write_study(folder, study)
    return len(drawn.pairs), [folder / f"{name}.html" for name in study.annotators]


def import_sheets(
    folder: Path,
    page: PageMaker,
    report: Callable[[str], None] = print,
    drawer: Callable[[Study], Draw] | None = None,
) -> ImportResult:
    """Check what the annotators have labelled, and write the labels of the pairs that all of them have.

    Unfinished files are accepted. Where annotators differ, the pairs stand on a file for their discussion, and nothing
    is written before it is done: labels without the disagreements would overstate the agreement.

    Args:
        report: gets progress and agreement, line by line, before anything can be refused.
        drawer: the one that the sheets were exported with.

    Raises:
        DataError: a file is missing or filled in wrongly, or a discussion has to come first (its file is written).
    """
    study = read_study(folder)
    drawn = (drawer or draw)(study)
    by_name = {name: _read(folder, name, drawn, drawn.pairs) for name in study.annotators}
    progress = _progress(by_name, drawn)
    for line in progress.lines:
        report(line)
    complete = [pair for pair in drawn.pairs if all(pair.item.id in sheet for sheet in by_name.values())]
    if not complete:
        raise DataError(f"no pair has been labelled by all of {', '.join(by_name)} yet, so there is nothing to import.")
    common = {name: {pair.item.id: sheet[pair.item.id] for pair in complete} for name, sheet in by_name.items()}
    differing = set(sheets.disagreements(*common.values()))
    discussed = [pair for pair in complete if pair.item.id in differing]
    consensus = _consensus(folder, discussed, drawn, common, page) if discussed else {}
    labels.write(drawn.labels, complete, common, consensus)
    return ImportResult(len(complete), len(discussed), progress, drawn.labels)


def _progress(by_name: Mapping[str, Sheet], drawn: Draw) -> Progress:
    agreement = []
    for first, second in combinations(by_name, 2):
        both = [item for item in by_name[first] if item in by_name[second]]
        if both:
            one, other = ([by_name[name][item] is not None for item in both] for name in (first, second))
            agreement.append((first, second, len(both), kappa(one, other)))
    return Progress({name: len(sheet) for name, sheet in by_name.items()}, len(drawn.pairs), agreement, drawn.task.what)


def _consensus(
    folder: Path, discussed: Sequence[BlindedPair], drawn: Draw, by_name: Mapping[str, Sheet], page: PageMaker
) -> Sheet:
    """What the discussion came to for each of `discussed`.

    Raises:
        DataError: a pair has not been discussed; the page and the sheet for it are written.
    """
    try:
        done = _read(folder, CONSENSUS, drawn, discussed)
    except FileNotFoundError:
        done = {}
    if len(done) < len(discussed):
        said = {sheets.code(pair, CONSENSUS, drawn.seed): _said(pair, by_name, drawn) for pair in discussed}
        _write(folder / f"{CONSENSUS}.html", page(CONSENSUS, sheets.questions(discussed, CONSENSUS, drawn.seed), said))
        sheet = folder / f"{CONSENSUS}.csv"
        if not sheet.exists():
            columns = drawn.task.columns
            _write(sheet, sheets.to_csv(sheets.rows(discussed, CONSENSUS, drawn.seed, columns), columns))
        raise DataError(
            f"the annotators differ on {len(discussed)} of {len(next(iter(by_name.values())))} pairs, of which "
            f"{len(discussed) - len(done)} have no common label yet. These stand in {folder / CONSENSUS}.html (or "
            ".csv): let them agree on a label for each, and run this command again."
        )
    return done


def _said(pair: BlindedPair, by_name: Mapping[str, Sheet], drawn: Draw) -> list[str]:
    """What each annotator said, in terms of the sides of the discussion's page."""
    side = "text 1" if swapped(pair, CONSENSUS, drawn.seed) else "text 2"
    return [f"{name}: {drawn.task.in_words(sheet[pair.item.id], side)}" for name, sheet in by_name.items()]


def _read(folder: Path, name: str, drawn: Draw, pairs: Sequence[BlindedPair]) -> Sheet:
    """The labels of a page's export (NAME.jsonl), or else of a sheet (NAME.csv); either may be unfinished.

    Raises:
        FileNotFoundError: there is neither, and `name` is the discussion's.
        DataError: there is neither, or a row is wrong.
    """
    exported, sheet = folder / f"{name}.jsonl", folder / f"{name}.csv"
    path = exported if exported.is_file() else sheet
    if not path.is_file():
        if name == CONSENSUS:
            raise FileNotFoundError(path)
        raise DataError(
            f"{folder} has neither {exported.name} (what the page saves) nor {sheet.name}. `dart annotate export "
            f"{folder}` writes both files to be filled in."
        )
    text = read_text(path, western=True)  # only ASCII cells are read: the code and both answers
    answered, seed = drawn.task.answered, drawn.seed
    rows = _json_rows(text, path, answered) if path == exported else csv_sheets.read_csv(text, str(path), answered)
    if name == CONSENSUS:  # may hold pairs that have been settled since
        known = {sheets.code(pair, name, seed) for pair in pairs}
        rows = [(number, row) for number, row in rows if row["code"] in known]
    return sheets.collect(drawn.task, rows, str(path), pairs, name, seed, unfinished=True)


def _json_rows(text: str, path: Path, answered: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    rows = []
    for number, line in enumerate(lines_of(text), start=1):
        if not line.strip():
            continue
        try:
            value = json_object(line)
        except ValueError as error:
            raise DataError(f"{path}:{number}: not a label ({error}). Save the labels from the page again.") from None
        rows.append((number, {key: str(value.get(key, "")).strip().lower() for key in answered}))
    return rows


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
