"""DVC's own graph as a plan: which stages would run, what each waits for, and the lock files a serial run would leave.

DVC runs one stage at a time; a scheduler needs to know what may run side by side. Every question is asked of DVC
itself (`plan_repro`, `Stage.changed`), so that a plan and `dvc repro` cannot disagree.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from dart.core.errors import DataError

if TYPE_CHECKING:
    from dvc.repo import Repo

T = TypeVar("T")

STATE = Path(".dart")  # ignored by git and DVC: logs, times, and the order of an unfinished run
ORDER = STATE / "lock_order.json"
BUSY_S = 60.0  # stages of a killed run need some seconds to stop; a `dvc repro` in another terminal needs longer


class PlannedStage(NamedTuple):
    """One stage of the graph, expanded (`arm_stage3@uniform`, `answers@bold-small`)."""

    address: str  # as DVC names it: `train@small`, `external/dvc.yaml:answers@bold-small`
    upstream: frozenset[str]  # addresses of the direct upstream stages
    gpus: int  # `meta: {gpus: N}` of dvc.yaml; 0 without it
    changed: bool  # DVC would run it now, whatever happens upstream


class Plan(NamedTuple):
    """The stages of the targets in DVC's serial order."""

    stages: tuple[PlannedStage, ...]

    def to_run(self) -> list[PlannedStage]:
        """Stages that changed and everything downstream of them, in serial order."""
        selected: dict[str, PlannedStage] = {}
        for stage in self.stages:
            if stage.changed or not stage.upstream.isdisjoint(selected):
                selected[stage.address] = stage
        return list(selected.values())


@contextmanager
def open_repo(root: Path) -> Iterator[Repo]:
    """The DVC repository at `root`.

    Raises:
        DataError: there is none, or DVC cannot read its dvc.yaml or dvc.lock.
    """
    from dvc.exceptions import DvcException  # half a second: only commands that ask DVC pay it
    from dvc.repo import Repo

    try:
        with chdir(root), Repo(_wait_for_lock=True) as repo:  # DVC resolves targets from the working directory
            yield repo
    except DvcException as error:
        raise DataError(f"DVC cannot read the pipeline: {error}. Run from the repository's root.") from None


def when_free(action: Callable[[], T], timeout_s: float = BUSY_S) -> T:
    """Result of `action`, repeated while another process works on the same files.

    Raises:
        dvc.lock.LockError: it still does after `timeout_s` seconds.
    """
    from dvc.exceptions import ReproductionError
    from dvc.lock import LockError

    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return action()
        except (LockError, ReproductionError) as error:
            busy = isinstance(error, LockError) or isinstance(error.__cause__, LockError)
            if not busy or time.monotonic() > deadline:
                raise
        time.sleep(0.5)


def plan(root: Path = Path(), targets: Sequence[str] = ()) -> Plan:
    """The stages that `dvc repro TARGETS` would visit, and which of them changed.

    Args:
        root: the repository's root.
        targets: stages or dvc.yaml files; all stages of the root's dvc.yaml and what they need if empty.

    Raises:
        DataError: no repository, a target that does not exist, or files in use by another DVC process.
    """
    with open_repo(root) as repo:
        graph, stages = _serial(repo, targets)

        def changed_stages() -> set[Any]:
            with repo.lock:
                return {stage for stage in stages if stage.changed()}

        changed = when_free(changed_stages)
        return Plan(
            tuple(
                PlannedStage(
                    stage.addressing,
                    frozenset(upstream.addressing for upstream in graph.successors(stage)),
                    _gpus(stage),
                    stage in changed,
                )
                for stage in stages
            )
        )


def _serial(repo: Repo, targets: Sequence[str]) -> tuple[Any, list[Any]]:
    """(graph with edges from a stage to what it needs, stages of the targets in the order of `dvc repro`)."""
    from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro

    graph = get_active_graph(repo.index.graph)
    return graph, plan_repro(graph, collect_stages(repo, list(targets) or ["dvc.yaml"]))


def _gpus(stage: Any) -> int:
    meta = stage.meta if isinstance(stage.meta, dict) else {}
    gpus = meta.get("gpus", 0)
    if not isinstance(gpus, int) or gpus < 0:
        raise DataError(f"stage {stage.addressing}: meta.gpus must be an integer >= 0, not {gpus!r}. Change dvc.yaml.")
    return gpus


def remember_lock_order(root: Path) -> None:
    """Keep the order of the lock files' entries until a run ends without failure.

    DVC appends a new stage to dvc.lock when it ends, so the order of entries tells the order of the run.
    """
    order_file = root / ORDER
    if not order_file.is_file():  # else a run was killed or failed, and this one continues it
        order_file.parent.mkdir(exist_ok=True)
        before = {path.relative_to(root).as_posix(): _entries(path) for path in _lock_files(root)}
        order_file.write_text(json.dumps(before), encoding="utf-8")


def restore_lock_order(root: Path, targets: Sequence[str], complete: bool) -> None:
    """Order the entries as one serial `dvc repro` would have: earlier entries stay, new ones follow as they are run.

    Args:
        complete: the run ended without failure; the next one starts from the files as they are then.
    """
    order_file = root / ORDER
    before: dict[str, list[str]] = json.loads(order_file.read_text(encoding="utf-8"))
    with open_repo(root) as repo:
        serial: dict[str, list[str]] = {}
        for stage in _serial(repo, targets)[1]:
            serial.setdefault(Path(stage.path_in_repo).with_suffix(".lock").as_posix(), []).append(stage.name)
        with repo.lock:
            for path in _lock_files(root):
                name = path.relative_to(root).as_posix()
                _reorder(path, [*before.get(name, []), *serial.get(name, [])])
    if complete:
        order_file.unlink()


def _lock_files(root: Path) -> list[Path]:
    return [path for path in (root / "dvc.lock", *sorted(root.glob("*/dvc.lock"))) if path.is_file()]


def _entries(lock_file: Path) -> list[str]:
    """Names of the stages of a lock file in file order. Its layout is DVC's: a name is a key at indent two."""
    lines = lock_file.read_text(encoding="utf-8").splitlines()
    return [line[2:-1].strip("'\"") for line in lines if line[:2] == "  " and line[2:3] != " " and line[-1:] == ":"]


def _reorder(lock_file: Path, order: Sequence[str]) -> None:
    """Rewrite a lock file with its entries in `order`, others after them, in DVC's own layout."""
    from dvc.utils.serialize import modify_yaml

    entries = _entries(lock_file)
    order = [name for name in dict.fromkeys([*order, *entries]) if name in set(entries)]
    if order == entries:
        return
    with modify_yaml(str(lock_file)) as data:
        stages = data["stages"]
        for name in order:
            stages[name] = stages.pop(name)
