"""Samples inside an HTML file: compressed JSON in a script element, written within a size limit and read back.

A page is its own archive, so that two pages can be compared without the runs behind them. Compression keeps five
training seeds of the real suite in one file that can be mailed.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

from dart.core.errors import DataError
from dart.viewer.samples import Samples, TruthBySeed, base_columns, item_columns, seed_columns

FORMAT = 1
MAX_BYTES = 7_500_000  # of samples in a page: with scripts and styles it stays below 8 MB
_SCRIPT = re.compile(r'<script type="application/json" id="samples">(.*?)</script>', re.S)


def archive(samples: Samples, truth: TruthBySeed | None = None, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """The samples as a JSON value: a header in plain text, items and answers compressed, by student and seed.

    The reference seed of every student is always there; other seeds as long as `max_bytes` allows, and those that are
    not are named in "left_out".
    """
    students = samples.students
    chunks = {f"{student.slot}/base": pack(base_columns(samples, student)) for student in students}
    items = pack(item_columns(samples))
    size = len(items) + sum(map(len, chunks.values()))
    left_out = []
    depth = max((len(student.seeds) for student in students), default=0)
    for turn in range(depth):
        for student in students:
            if turn >= len(student.seeds):
                continue
            seed = student.seeds[turn]
            key = f"{student.slot}/{seed.seed}"
            known = None if truth is None else truth.get(seed.seed, {}).get(student.slot)
            chunk = pack(seed_columns(samples, student, seed, known))
            if turn and size + len(chunk) > max_bytes:
                left_out.append(key)
                continue
            chunks[key] = chunk
            size += len(chunk)
    return {
        "format": FORMAT,
        "label": samples.label,
        "profile": samples.profile,
        "real": samples.real,
        "names": dict(samples.names),
        "truth": truth is not None,
        "students": [
            {"slot": s.slot, "name": s.name, "seeds": [d.seed for d in s.seeds if f"{s.slot}/{d.seed}" in chunks]}
            for s in students
        ],
        "left_out": left_out,
        "items": items,
        "chunks": chunks,
    }


def pack(value: Any) -> str:
    """JSON, compressed (zlib), as base64."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode("utf-8"), 9)).decode("ascii")


def unpack(packed: str) -> Any:
    """What `pack` made."""
    return json.loads(zlib.decompress(base64.b64decode(packed)))


def script_json(value: Any) -> str:
    """JSON for a script element: no text in it can close the element or open a comment."""
    text = json.dumps(value, ensure_ascii=True, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def read_archive(html: str, name: str) -> dict[str, Any]:
    """The samples of a page that `dart` wrote.

    Args:
        name: of the file, for messages.

    Raises:
        DataError: it holds none, or those of another version.
    """
    match = _SCRIPT.search(html)
    if match is None:
        raise DataError(f"{name} holds no samples of a run. A viewer.html of `dvc repro paper` or `dart viewer` does.")
    content = json.loads(match[1])
    current = content.get("runs", [{}])[0]
    if current.get("format") != FORMAT:
        raise DataError(
            f"{name} has samples of format {current.get('format')}; this version of dart reads {FORMAT}. Write the "
            "page anew with this version."
        )
    return dict(current)


def read_page(path: Path) -> dict[str, Any]:
    """The samples of the page at `path`, or of the viewer.html below the folder `path`.

    Raises:
        DataError: there is no such page, or it holds no samples.
    """
    candidates = (path, path / "viewer.html", path / "data" / "paper" / "viewer.html")
    page = next((candidate for candidate in candidates if candidate.is_file()), None)
    if page is None:
        raise DataError(f"{path} is no page and no folder with a viewer.html. `dvc repro paper` writes one.")
    return read_archive(page.read_text(encoding="utf-8"), str(page))
