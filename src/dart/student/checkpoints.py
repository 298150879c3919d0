"""A training that was killed goes on from its last checkpoint, which is kept in the user's cache and not in an out.

An out must be complete or absent, and hours on a GPU must not be lost to a reboot: so checkpoints live elsewhere,
under a name made of everything that decides the result, and vanish when the adapter is written.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dart.core.files import write_json
from dart.core.seeds import digest
from dart.core.store import cache_folder

_STATE = "trainer_state.json"  # what the Trainer writes last: a checkpoint without it is torn


@contextmanager
def checkpoint_folder(identity: str | None, kind: str = "training") -> Iterator[Path]:
    """A folder for partial work that outlives a failure and not a success; None gives one that outlives neither."""
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
    complete = [path.parent for path in folder.glob(f"checkpoint-*/{_STATE}") if _is_whole(path)]
    return max(complete, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _is_whole(state: Path) -> bool:
    try:
        json.loads(state.read_text(encoding="utf-8"))
    except json.JSONDecodeError:
        return False
    return True


Tokens = list[list[int]]


def cached_batch(folder: Path | None, identity: object, work: Callable[[], Tokens]) -> Tokens:
    """What `work` returns, from `folder` if it was done before; None keeps nothing."""
    if folder is None:
        return work()
    file = folder / f"{digest(identity)[:24]}.json"
    if file.is_file():  # written under another name and renamed, so whole
        done: Tokens = json.loads(file.read_text(encoding="utf-8"))
        return done
    made = work()
    write_json(file, made)
    return made
