"""Divide work over the processes of a launcher (torchrun, accelerate); a single process does all of it.

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

# A server may take longer to answer than the ten minutes that a process group waits by default.
TIMEOUT = timedelta(days=7)


def is_main_process() -> bool:
    """Whether this is the process of rank 0, which writes files and asks the judge."""
    return os.environ.get("RANK", "0") == "0"


def all_gather(parts: list[Part], *, on_gpu: bool) -> tuple[list[Part], int]:
    """The parts of all processes by rank, and the offset of this process's own; all processes must call it."""
    if _world_size() == 1:
        return parts, 0
    from accelerate.utils import gather_object

    rank, _ = _rank_and_size(on_gpu)
    gathered: list[list[Part]] = gather_object([parts])
    offset = sum(len(other) for other in gathered[:rank])
    return [part for other in gathered for part in other], offset


def shard_map(parts: Sequence[Part], work: Callable[[Part], Result], *, on_gpu: bool) -> list[Result]:
    """`work` of every part, in order, in every process; part i is computed by the process of rank i mod world size.

    All processes must call it, except within `run_on_main_process`, where one process computes everything.
    """
    if _world_size() == 1 or _in_main_process_only:
        return [work(part) for part in parts]
    from accelerate.utils import gather_object

    rank, size = _rank_and_size(on_gpu)
    shard = [(index, work(parts[index])) for index in range(rank, len(parts), size)]
    results = dict(gather_object(shard))
    return [results[index] for index in range(len(parts))]


def run_on_main_process(work: Callable[[], Result]) -> Result:
    """Run `work` in the main process and broadcast its result to all processes, which wait up to `TIMEOUT`.

    For what must happen once: asking a server, a judge, a teacher. A `shard_map` within `work` is not distributed.
    If `work` fails, the launcher ends the waiting processes.
    """
    if _world_size() == 1 or _in_main_process_only:
        return work()
    import torch.distributed

    group = _process_group()
    result = [_undistributed(work) if is_main_process() else None]
    torch.distributed.broadcast_object_list(result, src=0, group=group)
    return result[0]  # type: ignore[return-value]


@contextmanager
def replacing_on_main_process(path: Path) -> Iterator[Path]:
    """`dart.core.files.replacing` with one folder for all processes, which the main process creates and renames."""
    if is_main_process():
        with replacing(path) as temporary:
            run_on_main_process(lambda: temporary)
            yield temporary
            run_on_main_process(lambda: None)  # a barrier: after it no process reads the temporary folder
    else:
        yield run_on_main_process(Path)
        run_on_main_process(lambda: None)


_in_main_process_only = False  # while `run_on_main_process` works: the other processes wait and take no shards


def _undistributed(work: Callable[[], Result]) -> Result:
    global _in_main_process_only
    _in_main_process_only = True
    try:
        return work()
    finally:
        _in_main_process_only = False


def _world_size() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def _rank_and_size(on_gpu: bool) -> tuple[int, int]:
    """Rank and world size, once the default process group is initialised."""
    from accelerate import PartialState

    state = PartialState() if on_gpu else PartialState(cpu=True)
    return state.process_index, state.num_processes


@functools.cache
def _process_group() -> Any:
    """A gloo group of all processes whose collectives wait up to `TIMEOUT`."""
    import torch
    import torch.distributed
    from accelerate import PartialState

    PartialState() if torch.cuda.is_available() else PartialState(cpu=True)
    return torch.distributed.new_group(backend="gloo", timeout=TIMEOUT)
