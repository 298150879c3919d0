"""One DVC stage in a process of its own, forked from one that has DVC loaded already.

Starting DVC costs more than a second of CPU time per stage. `dvc.repo.Repo.reproduce` with `single_item` is what
`dvc repro --single-item` calls; several may run at once, because DVC holds its lock only between commands.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from dart.core.dvc_graph import when_free

RAN, FAILED, UNCHANGED = 0, 1, 3  # exit codes of a worker
# what `Repo.reproduce` imports on the way: a worker that finds it loaded needs a third of the CPU time. Nothing of this
# package: the server's path may hold another copy of it, while a worker has its parent's path
PRELOAD = (
    "dvc.repo.reproduce", "dvc.stage.run", "dvc.stage.cache", "dvc.stage.loader", "dvc.lock", "dvc.rwlock",
    "dvc.scm", "dvc.dirs", "dvc.cachemgr", "dvc.data_cloud", "dvc.dvcfile", "dvc.parsing",
    "dvc.dependency.param", "dvc.repo.datasets", "dvc.repo.metrics", "dvc.repo.params", "dvc.repo.plots",
    "dvc.repo.artifacts", "dvc.repo.stage", "dvc.repo.index", "dvc.utils.strictyaml", "dvc.utils.serialize",
    "dvc_data.hashfile.status", "dvc_data.hashfile.db.local", "dulwich.worktree", "dulwich.ignore", "dulwich.index",
    "configobj", "networkx", "psutil", "ruamel.yaml",
)  # fmt: skip
GRACE_S = 10.0  # between the request to stop and the kill, when the parent is gone


def fork_server() -> ForkServerContext:
    """A multiprocessing context whose children start with DVC imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", *PRELOAD])
    return context


def start_stage(
    context: ForkServerContext, address: str, root: Path, log: Path, environment: Mapping[str, str]
) -> ForkServerProcess:
    """Start a stage; its process leads a process group, and everything it prints goes to `log`."""
    process = context.Process(target=_run, args=(address, root, log, dict(environment)), name=address)
    process.start()
    return process


def _run(address: str, root: Path, log: Path, environment: dict[str, str]) -> None:
    os.setsid()
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    for output in (sys.stdout, sys.stderr):
        output.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(root)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    try:
        code = _reproduce(address)
    except KeyboardInterrupt:
        print(f"{address}: interrupted")
        code = 130
    sys.exit(code)


def _reproduce(address: str) -> int:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.ui import ui

    ui.enable()
    try:
        with Repo(_wait_for_lock=True) as repo:
            return RAN if when_free(lambda: repo.reproduce(address, single_item=True)) else UNCHANGED
    except DvcException as error:
        reason: BaseException | None = error
        while reason is not None:
            print(f"ERROR: {reason}")
            reason = reason.__cause__
        return FAILED


def _stop_with_parent() -> None:
    """End this process group when the scheduler is killed, or its stage would block the next run."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.killpg(0, signal.SIGINT)
    time.sleep(GRACE_S)
    os.killpg(0, signal.SIGKILL)
