"""Read the suite: the published files, or a file of the reader's own; either way with its provenance.

The names to display and the exact origin are returned with the items, so that every table can state its data.
Section 3.1 and appendix A.1.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from dart.core.errors import DataError
from dart.suite.download import Location, data_folder, local_file, pinned_bytes
from dart.suite.own import read_own
from dart.suite.pins import (
    COMMIT,
    FOLDER,
    LICENCE,
    N1_REBUILT,
    N1_REBUILT_NAME,
    N1_REBUILT_NOTE,
    PINS,
    REPOSITORY,
    Pin,
    git_blob_id,
)
from dart.suite.raw import RawItem, raw_items
from dart.suite.unpickle import plain_unpickle

log = logging.getLogger(__name__)

PUBLISHED = "difference_awareness"
LOCATION = Location(
    suite="the benchmark suite",
    repository=REPOSITORY,
    commit=COMMIT,
    remote=f"{FOLDER}/",
    local=(f"{PUBLISHED}/{FOLDER}", FOLDER, "."),
    cache=f"{PUBLISHED}/{COMMIT}",
)


class SourceSuite(NamedTuple):
    """All items of a source, the names to display by benchmark, and where everything came from (JSON-able)."""

    items: list[RawItem]
    names: dict[str, str]
    provenance: dict[str, Any]


def read_suite(source: str, data_dir: Path | None, *, transport: httpx.BaseTransport | None = None) -> SourceSuite:
    """Read `source`: "difference_awareness", or the path of a JSONL file of prompts and labels (see `own`).

    Args:
        source: as in the profile's `suite.source`.
        data_dir: folder of the published files; None means the environment variable DART_DATA_DIR.
        transport: how to download missing files; None means the network.

    Raises:
        DataError: data is missing, malformed, or cannot be downloaded.
        IntegrityError: a file differs from the pinned one.
        UnsafePickleError: a file asks for more than plain data.
    """
    if source == PUBLISHED:
        return _published(data_folder(data_dir, LOCATION), transport)
    path = Path(source)
    if not path.is_file():
        raise DataError(
            f"suite.source is {source!r}, which is neither {PUBLISHED!r} nor an existing file of JSON lines. "
            "Correct it in the profile."
        )
    return _own(path)


def _published(folder: Path | None, transport: httpx.BaseTransport | None) -> SourceSuite:
    pins = [_original_or_rebuilt(pin, folder) for pin in PINS]
    items: list[RawItem] = []
    for pin in pins:
        content = pinned_bytes(pin, LOCATION, folder, transport)
        halves = json.loads(content) if pin.file.endswith(".json") else plain_unpickle(content, pin.file)
        items.extend(raw_items(pin.benchmark, halves, pin.file))
    rebuilt = N1_REBUILT in pins
    provenance = {
        "source": PUBLISHED,
        "repository": REPOSITORY,
        "commit": COMMIT,
        "folder": FOLDER,
        "licence": LICENCE,
        "files": {pin.benchmark: pin._asdict() for pin in pins},
        "note": N1_REBUILT_NOTE if rebuilt else "All eight files are the published ones.",
    }
    names = {pin.benchmark: N1_REBUILT_NAME if pin is N1_REBUILT else pin.benchmark for pin in pins}
    return SourceSuite(items, names, provenance)


def _original_or_rebuilt(pin: Pin, folder: Path | None) -> Pin:
    """The rebuilt N1 where the data folder has it and not the original; the folder alone decides (see `download`)."""
    if pin.benchmark != N1_REBUILT.benchmark or local_file(folder, pin.file, LOCATION):
        return pin
    if not local_file(folder, N1_REBUILT.file, LOCATION):
        return pin
    log.warning(
        "%s is used instead of %s and named %r everywhere. To use the published file, put %s (git blob %s) beside it, "
        "or remove %s to have it downloaded.",
        N1_REBUILT.file,
        pin.file,
        N1_REBUILT_NAME,
        pin.file,
        pin.blob,
        N1_REBUILT.file,
    )
    return N1_REBUILT


def _own(path: Path) -> SourceSuite:
    items = read_own(path)
    provenance = {
        "source": path.name,  # the name alone: an out must not contain a path of the machine
        "blob": git_blob_id(path.read_bytes()),
        "licence": "not stated in the file",
        "note": "A benchmark of the reader's own; the paper's results are about other questions.",
    }
    return SourceSuite(items, {name: name for name in sorted({item.benchmark for item in items})}, provenance)
