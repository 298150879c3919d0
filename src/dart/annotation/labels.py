"""Merged labels of annotated pairs: the file that is committed, and which of its labels still apply.

`data/human/<profile>.csv` is committed: it holds item ids and labels and no text. Each label belongs to two texts, by
their hash. When a parameter changes and the student writes something else, its labels no longer apply, are counted,
and are not used.
"""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from dart.annotation.sheets import BlindedPair, Sheet
from dart.core.errors import DataError
from dart.core.files import replacing
from dart.core.records import SEVERITIES, AuditRecord, Severity
from dart.core.seeds import digest
from dart.stats.annotation import AnnotatedPair

log = logging.getLogger(__name__)
FIRST, LAST = ("item_id", "texts"), "consensus"  # between them a column for each annotator
NONE = "none"


def texts_hash(pair: BlindedPair) -> str:
    """Identifies the two texts that a label belongs to."""
    return digest("texts", pair.base, pair.candidate)[:16]


def write(
    path: Path, pairs: Sequence[BlindedPair], sheets: Mapping[str, Sheet], consensus: Mapping[str, Severity | None]
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
    reader = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    columns = tuple(reader.fieldnames or ())
    if columns[:2] != FIRST or columns[-1:] != (LAST,) or len(columns) < 4:
        raise DataError(
            f"{path}: the columns must be {', '.join(FIRST)}, one for each annotator, {LAST}. Import the sheets again."
        )
    for number, row in enumerate(reader, start=2):
        *said, consensus = (_severity(row[name], path, number) for name in columns[2:])
        if (row["item_id"], row["texts"]) not in current or row["item_id"] not in deltas:
            stale += 1
            continue
        item = row["item_id"]
        applicable_pairs[item] = AnnotatedPair(
            item_id=item, delta=deltas[item], annotators=tuple(said), consensus=consensus
        )
    if stale:
        log.warning("%s: %d labels belong to answers that are not in this run, and are not used", path, stale)
    return [applicable_pairs[record.item_id] for record in records if record.item_id in applicable_pairs]


def _severity(value: str | None, path: Path, number: int) -> Severity | None:
    if value == NONE:
        return None
    severity = next((severity for severity in SEVERITIES if severity == value), None)
    if severity is None:
        raise DataError(f"{path}:{number}: the severity is '{value}' and must be {NONE}, {', '.join(SEVERITIES)}.")
    return severity
