"""Trainings and answers of a stage, stored by what decides them, so that each is computed once.

DVC deletes a stage's outs before it runs, so a stage that is killed in its third training seed, or whose list of seeds
grows, would start from the first. Results are therefore stored in .dart/results of the clone, and the outs are copies.
What a finished stage did not use is deleted: there is one set of results for each stage. A second clone has its own,
so it reproduces a run by running it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from dart.core import layout
from dart.core.distributed import is_main_process, replacing_on_main_process, run_on_main_process
from dart.core.files import read_json
from dart.core.seeds import digest

LIBRARIES = ("torch", "transformers", "peft", "trl")  # their arithmetic decides a result, too


class ResultCache:
    """Files and folders of one stage by what decides them; use `result_cache`.

    Args:
        common: what decides every result of the stage.
    """

    def __init__(self, folder: Path, *common: object) -> None:
        self.folder = folder
        self._common = common
        self._used: set[str] = set()

    def path(self, *decisive: object) -> Path:
        """Where the result of `decisive` stands, or has to be written: complete, or not at all."""
        name = digest(*self._common, *decisive)
        self._used.add(name)
        return self.folder / name

    def result(self, compute: Callable[[Path], None], *decisive: object) -> Path:
        """The path of the result; `compute` writes it if it is not there. All processes must call this."""
        path = self.path(*decisive)
        if not has_result(path):
            compute(path)
        return path

    def prune(self) -> None:
        """Delete what no call has named."""
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if path.name not in self._used:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def result_cache(script: str, part: str) -> Iterator[ResultCache]:
    """The results of a stage; pruned on success, left as they are on failure.

    A result counts only for the code that it came from, by the stage's entry in data/code.

    Args:
        script: of the stage, e.g. train.
        part: of its work, e.g. the slot.
    """
    code = read_json(layout.CODE / f"{script}.json", dict)
    libraries = {library: version(library) for library in LIBRARIES}
    results = ResultCache(layout.RESULTS / script / part, code, libraries)
    yield results
    if is_main_process():
        results.prune()


def has_result(path: Path) -> bool:
    """Whether the main process has the result; the same answer in all processes, which must all call this."""
    return run_on_main_process(path.exists)


def copy_results(results: Mapping[str, Path], out: Path) -> None:
    """Write the folder `out` with a copy of each result under its name. All processes must call this."""
    with replacing_on_main_process(out) as folder:
        if is_main_process():
            folder.mkdir()
            for name, result in results.items():
                shutil.copytree(result, folder / name) if result.is_dir() else shutil.copy2(result, folder / name)
