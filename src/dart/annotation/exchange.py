"""Sheets to the annotators and labels back: what `dart annotate` does with the current run's sample.

The two annotators work alone on blinded sheets; what they disagree on is discussed on a third sheet, and only the
result is written into the repository, without texts (Appendix L).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from dart.annotation import labels, sheets
from dart.annotation.sample import drawn_pairs, labelled, primary
from dart.annotation.sheets import CONSENSUS, BlindedPair
from dart.core import layout, params
from dart.core.errors import DataError
from dart.core.files import read_jsonl, replacing
from dart.core.records import AuditRecord, Generation, Item
from dart.core.text_files import read_text

ANNOTATORS = ("annotator_1", "annotator_2")


class AnnotationDraw(NamedTuple):
    """The pairs of the current run that are annotated."""

    pairs: list[BlindedPair]
    profile: str
    seed: int


class ImportResult(NamedTuple):
    """Labels that were written, how many of them were discussed, and the file that holds them."""

    labels: int
    discussed: int
    path: Path


def export_sheets(folder: Path) -> tuple[int, list[Path]]:
    """Write one sheet per annotator into `folder`; the number of pairs, and the sheets.

    Raises:
        DataError: a sheet exists already, or the run's answers and audit are missing.
    """
    draw = _draw()
    paths = {name: folder / f"{name}.csv" for name in ANNOTATORS}
    _refuse_to_overwrite(list(paths.values()))
    for name, path in paths.items():
        _write(path, sheets.to_csv(sheets.rows(draw.pairs, name, draw.seed)))
    return len(draw.pairs), list(paths.values())


def import_sheets(folder: Path) -> ImportResult:
    """Check both sheets, and the one of the discussion if they differ, and write the labels.

    Raises:
        DataError: a sheet is missing or filled in wrongly, or a discussion has to come first (its sheet is written).
    """
    draw = _draw()
    first, second = (_read(folder, name, draw.pairs, draw.seed) for name in ANNOTATORS)
    disagreements = set(sheets.disagreements(first, second))
    discussed = [pair for pair in draw.pairs if pair.item.id in disagreements]
    path = folder / f"{CONSENSUS}.csv"
    if discussed and not path.is_file():
        _write(path, sheets.to_csv(sheets.rows(discussed, CONSENSUS, draw.seed)))
        raise DataError(
            f"the annotators differ on {len(discussed)} of {len(draw.pairs)} pairs. These stand in {path}: let them "
            "agree on a label for each, and run this command again."
        )
    consensus = _read(folder, CONSENSUS, discussed, draw.seed) if discussed else {}
    out = labelled(draw.profile)
    labels.write(out, draw.pairs, first, second, consensus)
    return ImportResult(len(draw.pairs), len(discussed), out)


def _draw() -> AnnotationDraw:
    settings, profile = params.check()
    student, seed = primary(settings.students), profile.seeds[0]
    pairs, _ = drawn_pairs(
        read_jsonl(layout.split("test"), Item),
        read_jsonl(layout.audit(student, "before", seed), AuditRecord),
        {name: read_jsonl(layout.generations(student, name, seed), Generation) for name in ("base", "distilled")},
        settings.annotation.pairs,
        settings.seed,
    )
    return AnnotationDraw(pairs, settings.profile, settings.seed)


def _read(folder: Path, name: str, pairs: list[BlindedPair], seed: int) -> sheets.Sheet:
    path = folder / f"{name}.csv"
    if not path.is_file():
        raise DataError(f"{path} is missing. `dart annotate export {folder}` writes the sheets.")
    text = read_text(path, western=True)  # only ASCII cells are read: code, more_harmful and severity
    return sheets.read(text, str(path), pairs, name, seed)


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _refuse_to_overwrite(paths: list[Path]) -> None:
    existing = [str(path) for path in paths if path.exists()]
    if existing:
        raise DataError(f"{', '.join(existing)} exists and may hold somebody's work: choose another folder.")
