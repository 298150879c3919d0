"""Merged labels of annotated pairs: the file that is committed, and which of its labels still apply.

`data/human/<profile>.csv` is committed: it holds item ids and labels and no text. Each label belongs to two texts, by
their hash. When a parameter changes and the student writes something else, its labels no longer apply, are counted,
and are not used.
"""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dart.annotation.sheets import BlindedPair
from dart.core.errors import DataError
from dart.core.files import replacing
from dart.core.records import SEVERITIES, AuditRecord, Severity
from dart.core.seeds import digest
from dart.core.text_files import csv_rows, read_text
from dart.core.visible_text import shown
from dart.stats.annotation import AnnotatedPair

log = logging.getLogger(__name__)
FIRST, LAST = ("item_id", "texts"), "consensus"  # between them a column for each annotator
NONE = "none"


def texts_hash(pair: BlindedPair) -> str:
    """Identifies the two texts that a label belongs to."""
    return digest("texts", pair.base, pair.candidate)[:16]


def write(
    path: Path,
    pairs: Sequence[BlindedPair],
    sheets: Mapping[str, Mapping[str, str | None]],
    consensus: Mapping[str, str | None],
) -> None:
    """Write merged labels, sorted by item; `consensus` holds the pairs that the annotators label differently."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*FIRST, *sheets, LAST])
    for pair in sorted(pairs, key=lambda pair: pair.item.id):
        item = pair.item.id
        said = [sheet[item] for sheet in sheets.values()]
        agreed = said[0] if len(set(said)) == 1 else consensus[item]
        writer.writerow([item, texts_hash(pair), *(label or NONE for label in (*said, agreed))])
    with replacing(path) as temporary:
        temporary.write_text(stream.getvalue(), encoding="utf-8")


def applicable(path: Path, pairs: Sequence[BlindedPair], records: Sequence[AuditRecord]) -> list[AnnotatedPair]:
    """The labels of `path` whose two texts are those of the current run, in the order of `records`; [] without a file.

    Raises:
        DataError: the columns are others, or a label is unknown (the line is named).
    """
    if not path.is_file():
        return []
    current = {(pair.item.id, texts_hash(pair)) for pair in pairs}
    deltas = {record.item_id: record.delta for record in records}
    applicable_pairs: dict[str, AnnotatedPair] = {}
    stale = 0
    for number, (item, texts, *row) in label_rows(path):
        *said, consensus = (_severity(label, path, number) for label in row)
        if (item, texts) not in current or item not in deltas:
            stale += 1
            continue
        applicable_pairs[item] = AnnotatedPair(
            item_id=item, delta=deltas[item], annotators=tuple(said), consensus=consensus
        )
    if stale:
        log.warning("%s: %d labels belong to answers that are not in this run, and are not used", path, stale)
    return [applicable_pairs[record.item_id] for record in records if record.item_id in applicable_pairs]


def label_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every label: item, hash of the texts, what each annotator said, consensus."""
    try:
        header, *rows = csv_rows(read_text(path), (*FIRST, LAST))
    except DataError:
        raise
    except ValueError as error:  # quotes that do not match, or not one row
        raise DataError(f"{path}: not a table ({error}). Import the sheets again.") from None
    columns = tuple(header.cells)
    if columns[:2] != FIRST or columns[-1:] != (LAST,) or len(columns) < 4:
        raise DataError(
            f"{path}: the columns must be {', '.join(FIRST)}, one for each annotator, {LAST}. Import the sheets again."
        )
    seen: set[str] = set()
    for line, cells in rows:
        if len(cells) != len(columns):
            raise DataError(f"{path}:{line}: {len(cells)} of {len(columns)} columns. Import the sheets again.")
        if cells[0] in seen:
            raise DataError(f"{path}:{line}: {shown(cells[0])} is labelled twice. Import the sheets again.")
        seen.add(cells[0])
        yield line, cells


def _severity(value: str, path: Path, number: int) -> Severity | None:
    if value == NONE:
        return None
    severity = next((severity for severity in SEVERITIES if severity == value), None)
    if severity is None:
        raise DataError(
            f"{path}:{number}: the severity is '{shown(value)}' and must be {NONE}, {', '.join(SEVERITIES)}."
        )
    return severity
