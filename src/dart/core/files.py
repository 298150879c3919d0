"""Read and write records and JSON: an out that exists is complete, and equal records give equal bytes."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from dart.core.errors import DataError
from dart.core.records import Record

R = TypeVar("R", bound=Record)
J = TypeVar("J", dict[str, Any], list[Any])


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` on success and is deleted on failure.

    An out that exists is complete: a kill between two writes leaves the old file or none.
    Parent folders are created, because DVC does not create them. A file replaces a file, and a folder a folder.

    Raises:
        DataError: a file would replace a folder or a folder a file, or `path` names neither ("/", "..").
    """
    if path.name in ("", ".."):
        raise DataError(f"{path} is no name for a file. Name the file to write.")
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    new = scratch / path.name
    try:
        yield new
        if path.is_dir():
            if not new.is_dir():
                raise DataError(f"{path} is a folder, and a file would replace it. Name a file, or delete the folder.")
            os.rename(path, scratch / "old")  # goes with `scratch`; a link goes, and not what it points to
        elif path.exists() and new.is_dir():
            raise DataError(f"{path} is a file, and a folder would replace it. Name a folder, or delete the file.")
        os.replace(new, path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_jsonl(path: Path, records: Iterable[Record]) -> int:
    """Write records as JSON lines, sorted keys, UTF-8; returns their number."""
    count = 0
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        for record in records:
            stream.write(json.dumps(record.model_dump(mode="json"), sort_keys=True, ensure_ascii=False) + "\n")
            count += 1
    return count


def read_jsonl(path: Path, kind: type[R]) -> list[R]:
    """Read JSON lines into records of `kind`.

    Raises:
        DataError: the file is missing, or a line is not a valid record (file, line and field are named).
    """
    if not path.is_file():
        raise DataError(f"{path} is missing. Run `dvc repro` (or `dvc checkout`) to produce it.")
    records: list[R] = []
    with path.open("rb") as stream:  # pydantic says where a line is not UTF-8
        for number, line in enumerate(stream, start=1):
            try:
                records.append(kind.model_validate_json(line))
            except ValidationError as error:
                first = error.errors()[0]
                field = ".".join(str(part) for part in first["loc"]) or "line"
                raise DataError(
                    f"{path}:{number}: not a valid {kind.__name__}: {field}: {first['msg']}. "
                    "The file is damaged or of another version: delete it and run `dvc repro`."
                ) from None
    return records


def read_json(path: Path, kind: type[J]) -> J:
    """JSON of type `kind` from disk.

    Raises:
        DataError: the file is missing, is not JSON, or is JSON of another type.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing. Run `dvc repro` (or `dvc checkout`) to produce it.")
    try:
        value = json.loads(path.read_bytes().decode("utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: not JSON ({error.msg}). Delete it and run `dvc repro`.") from None
    except (ValueError, RecursionError) as error:  # not UTF-8, a number of 5,000 digits, nested too deeply
        raise DataError(f"{path}: cannot be read ({str(error)[:200]}). Delete it and run `dvc repro`.") from None
    if not isinstance(value, kind):
        raise DataError(
            f"{path}: expected a {kind.__name__}, found a {type(value).__name__}. Delete it and run `dvc repro`."
        )
    return value


def write_json(path: Path, value: Any, digits: int | None = None) -> None:
    """Write JSON with sorted keys and a final newline; floats rounded to `digits` decimals if given."""
    with replacing(path) as temporary:
        text = json.dumps(_rounded(value, digits), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def _rounded(value: Any, digits: int | None) -> Any:
    if digits is not None and isinstance(value, float):
        return round(value, digits)
    if isinstance(value, Mapping):
        return {str(key): _rounded(entry, digits) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(entry, digits) for entry in value]
    return value
