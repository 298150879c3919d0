"""Divide work over the processes of a launcher (torchrun, accelerate); alone, do all of it.

One student per GPU and a share of the batches each: generation needs no other kind of parallelism (Section 2.4).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from dart.core.files import replacing

Part = TypeVar("Part")
Result = TypeVar("Result")

PROCESS_TIMEOUT = timedelta(
    days=7
)  # a server may take longer to answer than the ten minutes that processes wait by default


def is_main_process() -> bool:
    """Whether this process is the one that writes files and asks the judge; the others have helped and are done."""
    return os.environ.get("RANK", "0") == "0"


def all_gather(mine: list[Part], *, on_gpu: bool) -> tuple[list[Part], int]:
    """The parts of all processes, in the processes' order, and where one's own begin; all processes must call it."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return mine, 0
    from accelerate import PartialState
    from accelerate.utils import gather_object

    state = PartialState() if on_gpu else PartialState(cpu=True)
    everyone: list[list[Part]] = gather_object([mine])
    first = sum(len(parts) for parts in everyone[: state.process_index])
    return [part for parts in everyone for part in parts], first


def shard_map(parts: Sequence[Part], work: Callable[[Part], Result], *, on_gpu: bool) -> list[Result]:
    """`work` of every part, in order, in every process; part i is worked on by process i modulo their number."""
    if _alone():
        return [work(part) for part in parts]
    from accelerate import PartialState
    from accelerate.utils import gather_object

    state = PartialState() if on_gpu else PartialState(cpu=True)
    rank, processes = state.process_index, state.num_processes
    mine = [(index, work(parts[index])) for index in range(rank, len(parts), processes)]
    done = dict(gather_object(mine))
    return [done[index] for index in range(len(parts))]


def run_on_main_process(work: Callable[[], Result]) -> Result:
    """`work` done by the leading process alone; every process gets its result, however long it takes.

    For what must happen once: asking a server, a judge, a teacher. What `work` itself would share out it does alone.
    If it fails the launcher ends the others, which wait.
    """
    if _alone():
        return work()
    import torch.distributed as processes

    group = _patient()
    result = [_by_itself(work) if is_main_process() else None]
    processes.broadcast_object_list(result, src=0, group=group)
    return result[0]  # type: ignore[return-value]


@contextmanager
def replacing_on_main_process(path: Path) -> Iterator[Path]:
    """`dart.core.records.replacing`, with one folder that all processes see and the leading one makes and renames."""
    if is_main_process():
        with replacing(path) as temporary:
            run_on_main_process(lambda: temporary)
            yield temporary
            run_on_main_process(lambda: None)  # nobody reads there any more
    else:
        yield run_on_main_process(Path)
        run_on_main_process(lambda: None)


_left_alone = False  # while `led` works: nobody is there to share with


def _by_itself(work: Callable[[], Result]) -> Result:
    global _left_alone
    _left_alone = True
    try:
        return work()
    finally:
        _left_alone = False


def _alone() -> bool:
    return _left_alone or int(os.environ.get("WORLD_SIZE", "1")) == 1


@functools.cache
def _patient() -> Any:
    """All processes as a group whose members wait for one another on the CPU, as long as need be."""
    import torch
    import torch.distributed as processes
    from accelerate import PartialState

    PartialState() if torch.cuda.is_available() else PartialState(cpu=True)
    return processes.new_group(backend="gloo", timeout=PROCESS_TIMEOUT)
