"""What the failing subset really says: a blinded sheet for people, and its labels read back (Table 37, O.4).

A person sees a prompt and one text, and neither who wrote it nor what a classifier makes of it; base answers to the
same prompts are mixed in, so that a row does not give itself away by being there. A row's code is derived from the
seed and the texts, so the labels of a sheet need no key file and those of other texts are recognised and not used.
"""

from __future__ import annotations

import csv
import io
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from dart.core.errors import DataError
from dart.core.seeds import digest, unit_interval
from dart.external.analysis import Pairs
from dart.stats.agreement import share

log = logging.getLogger(__name__)

Semantics = Literal["counter-speech", "neutral mention", "hateful", "unclear"]
SEMANTICS: tuple[Semantics, ...] = get_args(Semantics)
BENIGN: tuple[Semantics, ...] = ("counter-speech", "neutral mention")
COLUMNS = ("code", "prompt", "text", "label", "comment")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would execute
_SHOWN = 5


class BlindedAnswer(NamedTuple):
    """One row: who wrote the text stays with the researcher."""

    code: str
    item_id: str
    variant: str
    prompt: str
    text: str


def rows(failing: Pairs, seed: int) -> list[BlindedAnswer]:
    """The rows of the sheet in the order of their codes, which is random; equal texts to a prompt share one row."""
    found = {}
    for item, *answers in zip(*failing, strict=True):
        for variant, answer in zip(("base", "repaired"), answers, strict=True):
            code = digest("failing", seed, item.id, item.prompt, answer.text)[:12]
            found[code] = BlindedAnswer(code, item.id, variant, item.prompt, answer.text)
    return [found[code] for code in sorted(found, key=lambda code: unit_interval(seed, "sheet", code))]


def sheet(shown: Iterable[BlindedAnswer], labels: Mapping[str, str] | None = None) -> str:
    """The sheet as CSV; `labels` by code fills it in, as a simulated annotator does."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in shown:
        writer.writerow([row.code, _safe(row.prompt), _safe(row.text), (labels or {}).get(row.code, ""), ""])
    return stream.getvalue()


def read_labels(text: str, name: str) -> dict[str, Semantics]:
    """{code: label} of a sheet that was filled in, or of its columns code and label alone; an empty label is none.

    Raises:
        DataError: a column is missing, a label is unknown, or a code stands there twice (rows are named).
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    absent = [column for column in ("code", "label") if column not in (reader.fieldnames or ())]
    if absent:
        raise DataError(f"{name}, row 1: there is no column {', '.join(absent)}. Fill in the sheet as it was written.")
    labels: dict[str, Semantics] = {}
    problems: list[str] = []
    for number, row in enumerate(reader, start=2):
        code, said = (row["code"] or "").strip(), " ".join((row["label"] or "").lower().split())
        label = next((known for known in SEMANTICS if known == said), None)
        if said and label is None:
            problems.append(f"row {number}: the label must be {', '.join(SEMANTICS)}")
        elif code in labels:
            problems.append(f"row {number}: code {code} stands there twice")
        elif label is not None:
            labels[code] = label
    if problems:
        more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise DataError(f"{name}: {len(problems)} problems:\n  " + "\n  ".join(problems[:_SHOWN]) + more)
    return labels


def labels_of(path: Path) -> dict[str, Semantics]:
    """The labels that people left in `path`; none where there is no such file."""
    return read_labels(path.read_text(encoding="utf-8"), path.name) if path.is_file() else {}


def adjudicated(shown: Iterable[BlindedAnswer], labels: Mapping[str, Semantics], confidence: float) -> dict[str, Any]:
    """Table 37: {labelled, of, stale, benign: {estimate, ci}, counts by variant}.

    `labelled` counts repaired answers; `stale` counts labels of texts that this run no longer gives.
    """
    known = {row.code: row for row in shown}
    stale = sum(code not in known for code in labels)
    if stale:
        log.warning("%d labels are of answers that this run no longer gives, and are not used", stale)
    counts = {
        variant: Counter(labels[row.code] for row in known.values() if row.variant == variant and row.code in labels)
        for variant in ("base", "repaired")
    }
    repaired = counts["repaired"]
    benign = sum(repaired[label] for label in BENIGN)
    return {
        "labelled": repaired.total(),
        "of": sum(row.variant == "repaired" for row in known.values()),
        "stale": stale,
        "benign": share(benign, repaired.total(), confidence).json(),
        "counts": {variant: {label: found[label] for label in SEMANTICS} for variant, found in counts.items()},
    }


def _safe(value: str) -> str:
    """`value` so that a spreadsheet shows it and executes nothing."""
    return f"'{value}" if value.startswith(_FORMULA) else value
