"""Which world the numbers are of: profile, label, models with their revisions, and the suite's digest.

It stands in every file of metrics/ that DVC does not show, so that a number cannot pass for one of another run. The
commit is no part of it: a file cannot hold the commit that contains it, and an out that changed with every commit could
not be reproduced byte by byte. `dvc.lock` ties each out to its commit instead (docs/howto/publish.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from dart.core import layout
from dart.core.errors import DataError
from dart.core.files import read_json, write_json
from dart.core.records import Record
from dart.core.schema.profile import Label

KEY = "provenance"
HEADLINE = layout.metric("headline")  # numbers alone: a string among them would be a column of `dvc metrics show`


class Checkpoint(Record):
    """A model that ran here; `revision` is a commit of the hub, or the first digits of a checkpoint's digest."""

    model: str
    revision: str


class StudentOrigin(Checkpoint):
    """The base of a slot."""

    slot: str
    name: str
    distilled: Checkpoint | None = None  # in the place of Stage I, if it was tuned elsewhere


class Party(Record):
    """A teacher or judge; an endpoint tells no revision."""

    model: str
    endpoint: str


class Provenance(Record):
    """The world of a run."""

    profile: str
    label: Label
    suite: str  # sha256 of the splits
    students: tuple[StudentOrigin, ...]  # in the order of params.yaml
    scorers: Mapping[str, Checkpoint]  # toxicity, hate
    parties: Mapping[str, Party]  # by role: teacher, judge, ...


def dump(provenance: Provenance) -> dict[str, Any]:
    """As JSON, without what a run does not have."""
    return provenance.model_dump(mode="json", exclude_none=True)


class Metrics(NamedTuple):
    """A metrics file; None for a file without provenance."""

    content: dict[str, Any]
    provenance: Provenance | None


def suite_digest(folder: Path) -> str:
    """sha256 over names and bytes of a suite's splits."""
    total = hashlib.sha256()
    for file in sorted(folder.glob("*.jsonl")):
        total.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def load_provenance(root: Path = Path()) -> Provenance:
    """What stage `provenance` wrote.

    Raises:
        DataError: it is missing or damaged.
    """
    path = root / layout.PROVENANCE
    return _validated(read_json(path, dict), path)


def _validated(value: Any, path: Path) -> Provenance:
    try:
        return Provenance.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path}: provenance: {field}: {first['msg']}. Delete it and run `dvc repro`.") from None


def write_metrics(path: Path, content: Mapping[str, Any], provenance: Provenance) -> None:
    """Write one file of metrics/ with its provenance."""
    write_json(path, {**content, KEY: dump(provenance)})


def write_results(contents: Mapping[str, Any], provenance: Provenance) -> None:
    """Write files of metrics/ and plots/ by path; plots and the headline, which DVC shows, are written as they are."""
    for name, content in contents.items():
        path = Path(name)
        if path.is_relative_to(layout.METRICS) and path != HEADLINE:
            write_metrics(path, content, provenance)
        else:
            write_json(path, content)


def read_metrics(path: Path) -> Metrics:
    """One file of metrics/, its provenance apart from its numbers.

    Raises:
        DataError: the file is missing or damaged.
    """
    content = read_json(path, dict)
    value = content.pop(KEY, None)
    return Metrics(content, None if value is None else _validated(value, path))


def evaluated_world(root: Path = Path()) -> Provenance | None:
    """The world that the main path's metrics are of; None before the first evaluation.

    Raises:
        DataError: the records under data/ are of another world than the metrics.
    """
    path = root / layout.metric("decision")
    world = read_metrics(path).provenance if path.is_file() else None
    recorded = load_provenance(root) if (root / layout.PROVENANCE).is_file() else world
    if world is not None and (text := difference(world, recorded)):
        raise DataError(f"{path} and {layout.DATA}/ are of different runs: {text}. Run `dvc repro evaluate`.")
    return world


def difference(first: Provenance | None, second: Provenance | None) -> str:
    """What differs, as "profile embedded / paper; ..."; empty for the same world."""
    if first is None or second is None:
        return "" if first is second else "one has no provenance: it was written by an older version"
    one, other = (dict(_leaves(dump(world))) for world in (first, second))
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return "; ".join(f"{name} {one.get(name, 'none')} / {other.get(name, 'none')}" for name in names)


def _leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        value = {entry["slot"]: entry for entry in value}
    if not isinstance(value, Mapping):
        yield prefix, str(value)
        return
    for key, entry in value.items():
        yield from _leaves(entry, f"{prefix}.{key}" if prefix else str(key))
