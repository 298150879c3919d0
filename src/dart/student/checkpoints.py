"""Checkpoints of a training and finished batches of a generation, so that a killed run resumes (Appendix C.2).

An out must be complete or absent, and hours on a GPU must not be lost to a reboot: so partial work is stored in the
user's cache directory, under a name made of everything that decides the result, and deleted when the out is written.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dart.core.files import write_json
from dart.core.seeds import digest
from dart.core.store import cache_folder

Tokens = list[list[int]]  # new tokens of each prompt of a batch
_TRAINER_STATE = "trainer_state.json"  # the Trainer writes it last: a checkpoint without it is incomplete


@contextmanager
def checkpoint_folder(identity: str | None, kind: str = "training") -> Iterator[Path]:
    """A folder for partial work that is deleted on success and survives a failure; with None a temporary folder."""
    if identity is None:
        with tempfile.TemporaryDirectory(prefix=f"dart-{kind}-") as scratch:
            yield Path(scratch)
        return
    folder = cache_folder() / kind / identity
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)  # ignore: under a launcher several processes share and remove it


def last_checkpoint(folder: Path) -> Path | None:
    """The latest complete checkpoint in `folder`."""
    complete = [path.parent for path in folder.glob(f"checkpoint-*/{_TRAINER_STATE}") if _is_complete(path)]
    return max(complete, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _is_complete(state: Path) -> bool:
    try:
        json.loads(state.read_text(encoding="utf-8"))
    except ValueError:  # not JSON, or not UTF-8
        return False
    return True


def cached_batch(folder: Path | None, identity: object, compute: Callable[[], Tokens]) -> Tokens:
    """The result of `compute`, read from `folder` if it is there under `identity`; None caches nothing."""
    if folder is None:
        return compute()
    file = folder / f"{digest(identity)[:24]}.json"
    if file.is_file():  # written under another name and renamed, so complete; a disk may damage it all the same
        with suppress(ValueError):
            cached: Tokens = json.loads(file.read_text(encoding="utf-8"))
            return cached
    tokens = compute()
    write_json(file, tokens)
    return tokens
